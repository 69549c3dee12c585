//! Leaves of an event that belong together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::leaf::Test;
use super::{Case, Field};

/// In which element of which arrays, outermost first. An array is known by its address, so that arrays within different elements are
/// different arrays.
type Chain = Vec<(usize, usize)>;

/// Says of a place whether it will do.
type Judge<'a> = dyn FnMut(&Chain) -> bool + 'a;

/// The elements that were decided for: array and index.
type Decided = BTreeMap<usize, usize>;

/// A leaf at the path that was asked for.
struct Leaf<'e> {
    value: &'e Value,
    chain: Chain,
}

/// Where leaves are, as a tree, so that those which agree with a decision are found without looking at the others.
#[derive(Default)]
struct Places {
    /// One is here, in no further array.
    here: bool,
    arrays: BTreeMap<usize, BTreeMap<usize, Places>>,
}

/// The leaves of one field.
struct Found {
    /// Where there is any leaf.
    all: Places,
    /// Where there is one that passes a test.
    good: Places,
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
        field.all.name_arrays(&mut arrays);
        matter[at] = arrays;
    }
    let mut search = Search {
        fields: &fields,
        matter: &matter,
        failed: HashSet::new(),
    };
    search.from(0, &Decided::new())
}

struct Search<'a> {
    fields: &'a [Found],
    matter: &'a [BTreeSet<usize>],
    /// What was tried in vain. Without it, three arrays of a thousand elements would take the product of them.
    failed: HashSet<(usize, Chain)>,
}

impl Search<'_> {
    fn from(&mut self, at: usize, decided: &Decided) -> bool {
        let fields = self.fields;
        let Some(field) = fields.get(at) else {
            return true;
        };
        let relevant = decided
            .iter()
            .filter(|(array, _)| self.matter[at].contains(array));
        let state = (at, relevant.map(|(a, i)| (*a, *i)).collect());
        if self.failed.contains(&state) {
            return false;
        }
        let lacks = || !(field.all).any(decided, &mut Chain::new(), &mut |_| true);
        if field.may_lack && lacks() && self.from(at + 1, decided) {
            return true;
        }
        let held = (field.good).any(decided, &mut Chain::new(), &mut |chain| {
            let mut more = decided.clone();
            more.extend(chain.iter().copied());
            self.from(at + 1, &more)
        });
        if !held {
            self.failed.insert(state);
        }
        held
    }
}

impl Places {
    fn add(&mut self, chain: &[(usize, usize)]) {
        let mut place = self;
        for (array, index) in chain {
            let elements = place.arrays.entry(*array).or_default();
            place = elements.entry(*index).or_default();
        }
        place.here = true;
    }

    fn is_empty(&self) -> bool {
        !self.here && self.arrays.is_empty()
    }

    fn name_arrays(&self, names: &mut BTreeSet<usize>) {
        for (array, elements) in &self.arrays {
            names.insert(*array);
            elements.values().for_each(|place| place.name_arrays(names));
        }
    }

    /// Whether `good` says yes of a place that agrees with what was decided; asked no further then. `chain` is where this is.
    fn any(&self, decided: &Decided, chain: &mut Chain, good: &mut Judge<'_>) -> bool {
        if self.here && good(chain) {
            return true;
        }
        for (array, elements) in &self.arrays {
            let due = decided.get(array);
            let (from, to) = due.map_or((0, usize::MAX), |index| (*index, *index));
            for (index, place) in elements.range(from..=to) {
                chain.push((*array, *index));
                let held = place.any(decided, chain, good);
                chain.pop();
                if held {
                    return true;
                }
            }
        }
        false
    }
}

fn find(field: &Field, event: &Value) -> Found {
    let mut leaves = Vec::new();
    descend(event, &field.path, &mut Chain::new(), &mut leaves);
    let mut found = Found {
        all: Places::default(),
        good: Places::default(),
        may_lack: field.tests.contains(&Test::Absent),
    };
    for leaf in leaves {
        found.all.add(&leaf.chain);
        if field.tests.iter().any(|test| test.holds(leaf.value)) {
            found.good.add(&leaf.chain);
        }
    }
    found
}

/// The leaves at `path` below an object or within arrays of objects. A name may hold dots itself, so every way to cut the path
/// is gone.
fn descend<'e>(node: &'e Value, path: &str, within: &mut Chain, leaves: &mut Vec<Leaf<'e>>) {
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
fn arrive<'e>(node: &'e Value, within: &mut Chain, leaves: &mut Vec<Leaf<'e>>) {
    let is_leaf = |node: &Value| !node.is_object() && !node.is_array();
    match node {
        Value::Object(_) => {}
        Value::Array(items) => {
            // Leaves directly in an array belong to no element of it: `["a", "b"]` has both.
            let direct = items.iter().filter(|item| is_leaf(item));
            leaves.extend(direct.map(|value| Leaf {
                value,
                chain: within.clone(),
            }));
            each(node, items, within, |item, within| {
                if item.is_array() {
                    arrive(item, within, leaves);
                }
            });
        }
        value => leaves.push(Leaf {
            value,
            chain: within.clone(),
        }),
    }
}

fn each<'e>(
    array: &'e Value,
    items: &'e [Value],
    within: &mut Chain,
    mut visit: impl FnMut(&'e Value, &mut Chain),
) {
    let id = std::ptr::from_ref(array) as usize;
    for (index, item) in items.iter().enumerate() {
        within.push((id, index));
        visit(item, within);
        within.pop();
    }
}
