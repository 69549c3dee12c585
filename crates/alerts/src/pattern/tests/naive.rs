//! A second matcher, written from the documentation alone: it flattens the event, takes every branch and tries every combination
//! of leaves, with regular expressions for texts. The two must agree on whatever comes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::Pattern;

/// Path, value, and the element of each array that it lies in.
type Flat = (String, Value, BTreeMap<usize, usize>);

fn flatten(event: &Value) -> Vec<Flat> {
    fn walk(
        node: &Value,
        path: &[&str],
        within: &BTreeMap<usize, usize>,
        arrays: &mut usize,
        out: &mut Vec<Flat>,
    ) {
        match node {
            Value::Object(members) => {
                for (name, value) in members {
                    walk(value, &[path, &[name]].concat(), within, arrays, out);
                }
            }
            Value::Array(items) => {
                *arrays += 1;
                let id = *arrays;
                for (index, item) in items.iter().enumerate() {
                    let mut inner = within.clone();
                    if item.is_object() || item.is_array() {
                        inner.insert(id, index);
                    }
                    walk(item, path, &inner, arrays, out);
                }
            }
            leaf => out.push((path.join("."), leaf.clone(), within.clone())),
        }
    }
    let mut out = Vec::new();
    walk(event, &[], &BTreeMap::new(), &mut 0, &mut out);
    out
}

/// One map from paths to lists of tests for every way to choose branches. `None` where a path comes twice.
fn branches(pattern: &Value) -> Option<Vec<BTreeMap<String, Vec<Value>>>> {
    let mut ways = vec![BTreeMap::new()];
    for (name, value) in pattern.as_object().unwrap() {
        let options: Vec<BTreeMap<String, Vec<Value>>> = match value {
            Value::Array(items) if name == "$or" => {
                let mut options = Vec::new();
                for item in items {
                    options.extend(branches(item)?);
                }
                options
            }
            Value::Array(items) => vec![BTreeMap::from([(name.clone(), items.clone())])],
            inner => {
                let below = |way: BTreeMap<String, Vec<Value>>| -> BTreeMap<String, Vec<Value>> {
                    let below = way.into_iter();
                    below
                        .map(|(path, t)| (format!("{name}.{path}"), t))
                        .collect()
                };
                branches(inner)?.into_iter().map(below).collect()
            }
        };
        let mut joined = Vec::new();
        for way in &ways {
            for option in &options {
                let mut both: BTreeMap<String, Vec<Value>> = way.clone();
                for (path, tests) in option {
                    if both.insert(path.clone(), tests.clone()).is_some() {
                        return None;
                    }
                }
                joined.push(both);
            }
        }
        ways = joined;
    }
    Some(ways)
}

thread_local! {
    /// There are few of them, and making one takes longer than all else.
    static MADE: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn text_fits(expression: &str, leaf: &Value) -> bool {
    let Some(text) = leaf.as_str() else {
        return false;
    };
    MADE.with_borrow_mut(|made| {
        let make = || Regex::new(&format!("^(?s:{expression})$")).unwrap();
        made.entry(expression.to_owned())
            .or_insert_with(make)
            .is_match(text)
    })
}

fn like(operator: &str, text: &Value) -> String {
    let escape = |text: &Value| regex::escape(text.as_str().unwrap());
    match (operator, text) {
        ("prefix", Value::String(_)) => format!("{}.*", escape(text)),
        ("suffix", Value::String(_)) => format!(".*{}", escape(text)),
        ("prefix", fold) => format!("(?i:{}).*", escape(&fold["equals-ignore-case"])),
        ("suffix", fold) => format!(".*(?i:{})", escape(&fold["equals-ignore-case"])),
        ("equals-ignore-case", _) => format!("(?i:{})", escape(text)),
        ("wildcard", _) => escape(text).replace("\\*", ".*"),
        other => panic!("{other:?}"),
    }
}

fn octets(leaf: &str) -> Option<u32> {
    let parts: Vec<u32> = leaf
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    (parts.len() == 4).then(|| parts.iter().fold(0, |all, part| all * 256 + part))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn fits(test: &Value, leaf: &Value) -> bool {
    let Some((operator, given)) = test.as_object().and_then(|test| test.iter().next()) else {
        return equal(test, leaf);
    };
    let all = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    match operator.as_str() {
        "exists" => given == true,
        "numeric" => leaf.as_f64().is_some_and(|number| {
            given.as_array().unwrap().chunks(2).all(|pair| {
                let bound = pair[1].as_f64().unwrap();
                match pair[0].as_str().unwrap() {
                    "=" => number == bound,
                    "<" => number < bound,
                    "<=" => number <= bound,
                    ">" => number > bound,
                    _ => number >= bound,
                }
            })
        }),
        "cidr" => {
            let (network, bits) = given.as_str().unwrap().split_once('/').unwrap();
            let size = 1_u64 << (32 - bits.parse::<u32>().unwrap());
            let network = u64::from(octets(network).unwrap()) / size;
            let address = leaf.as_str().and_then(octets);
            address.is_some_and(|address| u64::from(address) / size == network)
        }
        "anything-but" => match given.as_object().and_then(|given| given.iter().next()) {
            Some((operator, given)) => {
                let fits = |text: &Value| text_fits(&like(operator, text), leaf);
                !all(given).iter().any(fits)
            }
            None => !all(given).iter().any(|value| equal(value, leaf)),
        },
        operator => text_fits(&like(operator, given), leaf),
    }
}

fn belongs(decided: &BTreeMap<usize, usize>, leaf: &BTreeMap<usize, usize>) -> bool {
    let mut shared = leaf.keys().filter(|array| decided.contains_key(array));
    shared.all(|array| decided[array] == leaf[array])
}

fn try_all(
    fields: &[(&String, &Vec<Value>)],
    leaves: &[Flat],
    decided: &BTreeMap<usize, usize>,
) -> bool {
    let Some(((path, tests), rest)) = fields.split_first() else {
        return true;
    };
    let here: Vec<&Flat> = leaves
        .iter()
        .filter(|leaf| leaf.0 == **path && belongs(decided, &leaf.2))
        .collect();
    let absent = tests.contains(&json!({"exists": false}));
    if absent && here.is_empty() && try_all(rest, leaves, decided) {
        return true;
    }
    here.iter().any(|(_, value, elements)| {
        let mut more = decided.clone();
        more.extend(elements.iter().map(|(a, i)| (*a, *i)));
        tests.iter().any(|test| fits(test, value)) && try_all(rest, leaves, &more)
    })
}

fn naive(pattern: &Value, event: &Value) -> Option<bool> {
    let leaves = flatten(event);
    let ways = branches(pattern)?;
    Some(ways.iter().any(|way| {
        let fields: Vec<_> = way.iter().collect();
        try_all(&fields, &leaves, &BTreeMap::new())
    }))
}

fn leaf() -> impl Strategy<Value = Value> {
    let values = [
        json!("a"),
        json!("A"),
        json!("ab"),
        json!("aBa"),
        json!("b*"),
        json!(""),
        json!("10.0.0.1"),
        json!("10.0.1.1"),
        json!(1),
        json!(1.0),
        json!(2),
        json!(-3.5),
        json!(null),
        json!(true),
        json!("1"),
    ];
    proptest::sample::select(values.to_vec())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![12 => Just("x"), 12 => Just("y"), 1 => Just("x.y")].prop_map(str::to_owned)
}

fn objects(inner: impl Strategy<Value = Value>, most: usize) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(name(), inner, 1..=most)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

fn event() -> impl Strategy<Value = Value> {
    let node = leaf().prop_recursive(3, 32, 4, |inner| {
        let object = objects(inner.clone(), 3).boxed();
        let list = proptest::collection::vec(inner, 0..4).prop_map(Value::Array);
        let elements = proptest::collection::vec(object.clone(), 1..5).prop_map(Value::Array);
        prop_oneof![1 => object, 1 => list, 3 => elements]
    });
    objects(node, 3)
}

fn test() -> impl Strategy<Value = Value> {
    let operators = [
        json!({"prefix": "a"}),
        json!({"prefix": ""}),
        json!({"suffix": "a"}),
        json!({"suffix": {"equals-ignore-case": "A"}}),
        json!({"prefix": {"equals-ignore-case": "AB"}}),
        json!({"equals-ignore-case": "aba"}),
        json!({"wildcard": "a*"}),
        json!({"wildcard": "*b*"}),
        json!({"wildcard": "a*a"}),
        json!({"anything-but": "a"}),
        json!({"anything-but": ["a", ""]}),
        json!({"anything-but": 1}),
        json!({"anything-but": [1, 2]}),
        json!({"anything-but": {"prefix": ["a", "b"]}}),
        json!({"anything-but": {"suffix": "a"}}),
        json!({"anything-but": {"equals-ignore-case": "AB"}}),
        json!({"anything-but": {"wildcard": "*b*"}}),
        json!({"numeric": [">", 0]}),
        json!({"numeric": [">=", -3.5, "<", 2]}),
        json!({"numeric": ["=", 1]}),
        json!({"numeric": ["<=", 1]}),
        json!({"cidr": "10.0.0.0/24"}),
        json!({"cidr": "10.0.0.9/23"}),
        json!({"exists": true}),
        json!({"exists": true}),
        json!({"exists": false}),
        json!({"exists": false}),
    ];
    prop_oneof![leaf(), proptest::sample::select(operators.to_vec())]
}

fn tests() -> impl Strategy<Value = Value> {
    proptest::collection::vec(test(), 1..5).prop_map(Value::Array)
}

fn patterns() -> impl Strategy<Value = Value> {
    let node = tests().prop_recursive(2, 8, 2, |inner| {
        let object = objects(inner.clone(), 2);
        let branch = proptest::collection::vec(objects(inner, 2), 2..4);
        (object, proptest::option::weighted(0.2, branch)).prop_map(|(mut object, branches)| {
            if let Some(branches) = branches {
                object["$or"] = Value::Array(branches);
            }
            object
        })
    });
    objects(node, 2)
}

#[test]
fn two_matchers_agree() {
    let config = Config {
        cases: 5_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    // How many fit, do not, and are refused.
    let counts = Cell::new([0; 3]);
    let count = |which: usize| {
        let mut now = counts.get();
        now[which] += 1;
        counts.set(now);
    };
    let given = (patterns(), proptest::collection::vec(event(), 1..4));
    let ran = runner.run(&given, |(pattern, events)| {
        let read = Pattern::from_value(&pattern);
        for event in &events {
            match (&read, naive(&pattern, event)) {
                (Ok(read), Some(expected)) => {
                    prop_assert_eq!(read.matches(event), expected, "{} on {}", pattern, event);
                    count(usize::from(!expected));
                }
                (Err(_), None) => count(2),
                (read, naive) => prop_assert!(false, "{pattern}: {read:?} but {naive:?}"),
            }
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let [fit, not, refused] = counts.get();
    assert!(
        fit > 700 && not > 2_000 && refused > 100,
        "{fit} fit, {not} do not, {refused} are refused: the cases are too one-sided to show anything"
    );
}
