//! Leaves of an event that belong together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::leaf::Test;
use super::{Case, Field};

/// In which element of which arrays a leaf lies. An array is known by its address, so that arrays within different elements
/// are different arrays.
type Elements = BTreeMap<usize, usize>;

/// A leaf at the path that was asked for.
struct Leaf<'e> {
    value: &'e Value,
    elements: Elements,
}

/// The leaves of one field.
struct Found {
    /// Where there is any leaf.
    all: Vec<Elements>,
    /// Where there is one that passes a test.
    good: Vec<Elements>,
    /// It is also fine if there is none.
    may_lack: bool,
}

/// Whether every field has a leaf that passes, none from another element of an array than the one that was decided for. A field
/// that must be absent must be absent in the elements that were decided for by then, so fields are taken in their order.
pub(super) fn holds(case: &Case, event: &Value) -> bool {
    let mut fields = Vec::with_capacity(case.len());
    for field in case {
        let found = find(field, event);
        if found.good.is_empty() && !found.may_lack {
            return false;
        }
        fields.push(found);
    }
    // Which arrays matter from a field on: what was decided for others cannot change the rest any more.
    let mut matter: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); fields.len() + 1];
    for (at, field) in fields.iter().enumerate().rev() {
        let mut arrays = matter[at + 1].clone();
        arrays.extend(field.all.iter().flat_map(BTreeMap::keys));
        matter[at] = arrays;
    }
    let mut search = Search {
        fields: &fields,
        matter: &matter,
        failed: HashSet::new(),
    };
    search.from(0, &Elements::new())
}

struct Search<'a> {
    fields: &'a [Found],
    matter: &'a [BTreeSet<usize>],
    /// What was tried in vain. Without it, three arrays of a thousand elements would take the product of them.
    failed: HashSet<(usize, Vec<(usize, usize)>)>,
}

impl Search<'_> {
    fn from(&mut self, at: usize, decided: &Elements) -> bool {
        let Some(field) = self.fields.get(at) else {
            return true;
        };
        let relevant = decided
            .iter()
            .filter(|(array, _)| self.matter[at].contains(array));
        let state = (at, relevant.map(|(a, i)| (*a, *i)).collect());
        if self.failed.contains(&state) {
            return false;
        }
        let lacks = || !field.all.iter().any(|leaf| agree(decided, leaf));
        if field.may_lack && lacks() && self.from(at + 1, decided) {
            return true;
        }
        for leaf in field.good.iter().filter(|leaf| agree(decided, leaf)) {
            let new = leaf.keys().any(|array| !decided.contains_key(array));
            let held = if new {
                let mut more = decided.clone();
                more.extend(leaf);
                self.from(at + 1, &more)
            } else {
                self.from(at + 1, decided)
            };
            if held {
                return true;
            }
        }
        self.failed.insert(state);
        false
    }
}

fn agree(decided: &Elements, leaf: &Elements) -> bool {
    leaf.iter()
        .all(|(array, index)| decided.get(array).is_none_or(|decided| decided == index))
}

fn find(field: &Field, event: &Value) -> Found {
    let mut leaves = Vec::new();
    descend(event, &field.path, &mut Elements::new(), &mut leaves);
    let good = |leaf: &&Leaf<'_>| field.tests.iter().any(|test| test.holds(leaf.value));
    Found {
        good: distinct(leaves.iter().filter(good)),
        all: distinct(leaves.iter()),
        may_lack: field.tests.contains(&Test::Absent),
    }
}

/// A thousand texts in one array lie at one place.
fn distinct<'e>(leaves: impl Iterator<Item = &'e Leaf<'e>>) -> Vec<Elements> {
    let places: BTreeSet<Elements> = leaves.map(|leaf| leaf.elements.clone()).collect();
    places.into_iter().collect()
}

/// The leaves at `path` below an object or within arrays of objects. A name may hold dots itself, so every way to cut the path
/// is gone.
fn descend<'e>(node: &'e Value, path: &str, within: &mut Elements, leaves: &mut Vec<Leaf<'e>>) {
    match node {
        Value::Object(members) => {
            if let Some(value) = members.get(path) {
                arrive(value, within, leaves);
            }
            for (dot, _) in path.match_indices('.') {
                if let Some(value) = members.get(&path[..dot]) {
                    descend(value, &path[dot + 1..], within, leaves);
                }
            }
        }
        Value::Array(items) => each(node, items, within, |item, within| {
            descend(item, path, within, leaves);
        }),
        _ => {}
    }
}

/// The leaves of what lies at the end of a path. An object is no leaf and has none here: its own have longer paths.
fn arrive<'e>(node: &'e Value, within: &mut Elements, leaves: &mut Vec<Leaf<'e>>) {
    let is_leaf = |node: &Value| !node.is_object() && !node.is_array();
    match node {
        Value::Object(_) => {}
        Value::Array(items) => {
            // Leaves directly in an array belong to no element of it: `["a", "b"]` has both.
            let direct = items.iter().filter(|item| is_leaf(item));
            leaves.extend(direct.map(|value| Leaf {
                value,
                elements: within.clone(),
            }));
            each(node, items, within, |item, within| {
                if item.is_array() {
                    arrive(item, within, leaves);
                }
            });
        }
        value => leaves.push(Leaf {
            value,
            elements: within.clone(),
        }),
    }
}

fn each<'e>(
    array: &'e Value,
    items: &'e [Value],
    within: &mut Elements,
    mut visit: impl FnMut(&'e Value, &mut Elements),
) {
    let id = std::ptr::from_ref(array) as usize;
    for (index, item) in items.iter().enumerate() {
        within.insert(id, index);
        visit(item, within);
    }
    within.remove(&id);
}
