//! Patterns: what AWS documents, what is refused, and the same answers as a second matcher that knows nothing of the first.

mod examples;
mod naive;
mod refused;

use serde_json::{Value, json};

use super::Pattern;

#[track_caller]
pub(super) fn pattern(value: &Value) -> Pattern {
    let read = Pattern::from_value(value).unwrap_or_else(|error| panic!("{value}: {error}"));
    let text = serde_json::to_string_pretty(value).unwrap();
    let parsed = Pattern::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(read, parsed, "the same from text and from a value: {text}");
    read
}

/// The pattern fits the first events and not the others.
#[track_caller]
pub(super) fn check(pattern: Value, fits: &[Value], not: &[Value]) {
    let read = self::pattern(&pattern);
    for event in fits {
        assert!(read.matches(event), "{pattern} should fit {event}");
    }
    for event in not {
        assert!(!read.matches(event), "{pattern} should not fit {event}");
    }
}

#[test]
fn three_arrays_of_a_thousand_elements_do_not_take_their_product() {
    let many = |key: &str| -> Value {
        let element = |n: usize| json!({ format!("{key}{}", n % 2): "x" });
        (0..1_000).map(element).collect()
    };
    let event = json!({"a": many("a"), "b": many("b"), "c": many("c")});
    let both =
        |key: &str| json!({ format!("{key}0"): ["x"], format!("{key}1"): [{"exists": true}, 1] });
    // No element has both, and for `c` that is found out last.
    let hard = json!({"a": {"a0": ["x"]}, "b": {"b0": ["x"]}, "c": both("c")});
    check(hard, &[], &[event]);
}

#[test]
fn one_array_of_all_that_fits_into_an_event_does_not_take_its_square() {
    let element = |n: usize| json!({ ["x", "y"][n % 2]: 1 });
    let many: Value = (0..20_000).map(element).collect();
    let event = [json!({"a": [many, []]})];
    let begun = std::time::Instant::now();
    check(json!({"a": {"x": [1], "y": [1]}}), &[], &event);
    let absent = json!({"a": {"x": [1], "xx": [{"exists": false}], "y": [1]}});
    check(absent, &[], &event);
    // A second at most, unoptimised; to compare every two of them takes minutes.
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
}

#[test]
fn a_pattern_as_deep_as_can_be_is_refused_and_not_walked() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(100_000), "1");
    assert!(Pattern::parse(&deep).is_err());
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(90), "}".repeat(90));
    let error = Pattern::parse(&deep).unwrap_err().to_string();
    assert!(error.contains("nested more than 64 deep"), "{error}");
}
