//! What is refused, with the place and what to do.

use serde_json::{Value, json};

use crate::Pattern;

/// All that is told of a pattern that was text.
fn told(text: &str) -> String {
    Pattern::parse(text).unwrap_err().to_string()
}

/// The path and the words of the only mistake of a pattern.
#[track_caller]
fn check(pattern: Value, path: &str, words: &str) {
    let error = match Pattern::from_value(&pattern) {
        Ok(_) => panic!("{pattern} is taken"),
        Err(error) => error,
    };
    let [mistake] = &error.mistakes[..] else {
        panic!("{pattern}: {error}");
    };
    assert_eq!(mistake.path, path, "{pattern}: {error}");
    assert!(mistake.message.contains(words), "{pattern}: {error}");
    assert_eq!(mistake.place, None);
}

#[test]
fn the_place_is_told() {
    let text = "{\n  \"detail\": {\n    \"severity\": [ {\"numeric\": [\">=\", \"7\"]} ]\n  }\n}";
    assert_eq!(
        told(text),
        "detail.severity[0].numeric[1] (line 3, column 38): must be a number, not the text \"7\""
    );
    assert_eq!(
        told("{\"ä\": [\"ü\", {\"prefx\": \"a\"}]}"),
        "\"ä\"[1] (line 1, column 13): `prefx` is no operator here; did you mean `prefix`?; there are anything-but, cidr, \
         equals-ignore-case, exactly, exists, numeric, prefix, suffix, wildcard"
    );
}

#[test]
fn all_mistakes_are_told() {
    let text = "{\"a\": [], \"b\": \"x\",\n \"$or\": [{\"c\": [{\"exists\": \"true\"}]}]}";
    assert_eq!(
        told(text),
        "a (line 1, column 7): is an empty array, which nothing fits; \
         b (line 1, column 16): must be an array or an object, not the text \"x\"; values go into brackets: [\"...\"]; \
         $or (line 2, column 9): needs two objects at least; \
         $or[0].c[0].exists (line 2, column 28): must be true or false, not the text \"true\""
    );
}

#[test]
fn text_that_is_no_json() {
    assert_eq!(
        told("{\"a\": [1,]}"),
        "the pattern (line 1, column 10): is no JSON: expected value"
    );
    for text in [
        "",
        "{",
        "{} {}",
        "{'a': [1]}",
        "{\"a\": [01]}",
        "{\"a\": [\"\\ud800\"]}",
        "{\"a\": [1e999]}",
        "a: [b]",
    ] {
        assert!(
            told(text).contains("is no JSON: "),
            "{text}: {}",
            told(text)
        );
    }
    assert!(Pattern::parse("\u{feff}{\"a\": [1]}").is_ok());
}

#[test]
fn shapes() {
    for (pattern, is) in [
        (json!([]), "an array"),
        (json!("x"), "the text \"x\""),
        (json!(null), "null"),
    ] {
        check(
            pattern,
            "",
            &format!("must be an object such as {{\"source\": [\"aws.guardduty\"]}}, not {is}"),
        );
    }
    check(json!({}), "", "is empty");
    check(json!({"a": {}}), "a", "is empty");
    check(json!({"a": []}), "a", "is an empty array");
    for scalar in [json!("x"), json!(1), json!(true), json!(null)] {
        check(
            json!({"a": {"b": scalar}}),
            "a.b",
            "values go into brackets",
        );
    }
    check(
        json!({"a": [["x"]]}),
        "a[0]",
        "must be a text, a number, true, false, null or an operator, not an array",
    );
    check(
        json!({"a b": {"": [[]]}}),
        "\"a b\".\"\"[0]",
        "not an array",
    );
    let twice = "{\"a\": [1], \"a\": [2]}";
    assert_eq!(told(twice), "a (line 1, column 17): is there twice");
    check(
        json!({"a": {"b": [1]}, "a.b": [2]}),
        "\"a.b\"",
        "is asked about twice",
    );
    check(
        json!({"a": [1], "$or": [{"b": [1]}, {"a": [2]}]}),
        "a",
        "is asked about twice",
    );
}

#[test]
fn operators() {
    check(
        json!({"a": [{}]}),
        "a[0]",
        "is empty; there are anything-but, cidr",
    );
    check(
        json!({"a": [{"prefix": "x", "suffix": "y"}]}),
        "a[0]",
        "has more than one key",
    );
    check(
        json!({"a": [{"regex": "x"}]}),
        "a[0]",
        "`regex` is no operator here; there are",
    );
    check(
        json!({"a": [1, {"exist": true}]}),
        "a[1]",
        "did you mean `exists`?",
    );
    for operator in [
        "exactly",
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "cidr",
    ] {
        for value in [json!(1), json!(null), json!(["x"])] {
            let path = format!("a[0].{operator}");
            check(
                json!({"a": [{operator: value}]}),
                &path,
                "must be a text, not",
            );
        }
    }
    check(
        json!({"a": [{"prefix": {"wildcard": "x"}}]}),
        "a[0].prefix",
        "there are equals-ignore-case",
    );
    check(
        json!({"a": [{"suffix": {"equals-ignore-case": 1}}]}),
        "a[0].suffix.equals-ignore-case",
        "must be a text",
    );
    check(
        json!({"a": [{"exists": "true"}]}),
        "a[0].exists",
        "must be true or false",
    );
    check(
        json!({"a": {"prefix": "x"}}),
        "a.prefix",
        "an operator goes into brackets: [{\"prefix\": ...}]",
    );
    check(
        json!({"a": {"numeric": [">", 1]}}),
        "a.numeric",
        "an operator goes into brackets: [{\"numeric\": ...}]",
    );
    check(
        json!({"a": {"anything-but": ["x"]}}),
        "a.anything-but",
        "an operator goes into brackets",
    );
}

#[test]
fn wildcards() {
    check(
        json!({"a": [{"wildcard": "a**b"}]}),
        "a[0].wildcard",
        "two `*` in a row",
    );
    for text in ["a\\b", "a\\"] {
        check(
            json!({"a": [{"wildcard": text}]}),
            "a[0].wildcard",
            "has a `\\` before something other",
        );
    }
    check(
        json!({"a": [{"anything-but": {"wildcard": ["*", "**"]}}]}),
        "a[0].anything-but.wildcard[1]",
        "two `*` in a row",
    );
}

#[test]
fn anything_but() {
    let inner = "a[0].anything-but";
    check(
        json!({"a": [{"anything-but": []}]}),
        inner,
        "is an empty array",
    );
    check(
        json!({"a": [{"anything-but": {"prefix": []}}]}),
        "a[0].anything-but.prefix",
        "is an empty array",
    );
    check(
        json!({"a": [{"anything-but": ["x", 1]}]}),
        inner,
        "mixes texts and numbers",
    );
    check(
        json!({"a": [{"anything-but": {}}]}),
        inner,
        "is empty; there are equals-ignore-case, prefix, suffix, wildcard",
    );
    check(
        json!({"a": [{"anything-but": {"numeric": [">", 1]}}]}),
        inner,
        "`numeric` is no operator here",
    );
    check(
        json!({"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}),
        inner,
        "more than one key",
    );
    for value in [json!(true), json!(null)] {
        check(
            json!({"a": [{"anything-but": value}]}),
            inner,
            "must be texts or numbers",
        );
        check(
            json!({"a": [{"anything-but": ["x", value]}]}),
            "a[0].anything-but[1]",
            "must be texts or numbers",
        );
    }
    for operator in ["prefix", "suffix"] {
        let path = format!("a[0].anything-but.{operator}");
        check(
            json!({"a": [{"anything-but": {operator: ""}}]}),
            &path,
            "is empty",
        );
        check(
            json!({"a": [{"anything-but": {operator: 1}}]}),
            &path,
            "must be a text",
        );
        check(
            json!({"a": [{"anything-but": {operator: {"equals-ignore-case": "x"}}}]}),
            &path,
            "must be a text, not an object",
        );
    }
}

#[test]
fn numbers() {
    let inner = "a[0].numeric";
    let numeric = |list: Value| json!({"a": [{"numeric": list}]});
    for single in [json!(1), json!(">= 1"), json!({"x": 1})] {
        check(numeric(single), inner, "must be an array such as");
    }
    check(numeric(json!([])), inner, "has one comparison");
    check(
        numeric(json!([">"])),
        inner,
        "ends in a comparison without a number",
    );
    check(
        numeric(json!([">", 1, "<"])),
        inner,
        "ends in a comparison without a number",
    );
    check(
        numeric(json!(["<>", 1])),
        "a[0].numeric[0]",
        "must be one of =, <, <=, > and >=",
    );
    check(numeric(json!([1, 1])), "a[0].numeric[0]", "must be one of");
    check(
        numeric(json!([">", null])),
        "a[0].numeric[1]",
        "must be a number",
    );
    check(
        numeric(json!([">", 1, "<", "2"])),
        "a[0].numeric[3]",
        "must be a number",
    );
    for list in [
        json!([">", 1, ">", 2]),
        json!(["<", 5, ">", 1]),
        json!(["=", 1, "<", 5]),
        json!([">", 1, "=", 5]),
    ] {
        check(numeric(list), inner, "a lower bound and then an upper one");
    }
    check(
        numeric(json!([">", 9, "<", 1])),
        inner,
        "leaves nothing: 9 is not less than 1",
    );
    check(
        numeric(json!([">=", 5, "<=", 5.0])),
        inner,
        "leaves nothing",
    );
    check(
        numeric(json!([">", 1, "<", 5, "<", 6])),
        inner,
        "has one comparison",
    );
}

#[test]
fn networks() {
    let cidr = |text: &str| json!({"a": [{"cidr": text}]});
    for text in [
        "10.0.0.0",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0/8",
        "x/8",
        "10.0.0.0/8/8",
        "::/129",
        "",
        "10.0.0.0/ 8",
    ] {
        check(cidr(text), "a[0].cidr", "is no network such as 10.0.0.0/8");
    }
    check(
        cidr("10.0.0.1/32"),
        "a[0].cidr",
        "write \"10.0.0.1\" instead",
    );
    check(
        cidr("2001:db8::1/128"),
        "a[0].cidr",
        "write \"2001:db8::1\" instead",
    );
}

#[test]
fn ors() {
    check(json!({"$or": [{"a": [1]}]}), "$or", "needs two objects");
    check(json!({"$or": []}), "$or", "needs two objects");
    check(
        json!({"a": {"$or": {"b": [1]}}}),
        "a.$or",
        "must be an array of objects, not an object",
    );
    check(json!({"$or": "x"}), "$or", "must be an array of objects");
    check(
        json!({"a": {"$or": [{"b": [1]}, {"c": [1]}, [{"d": [1]}]]}}),
        "a.$or[2]",
        "must be an object, not an array",
    );
    check(json!({"$or": [{"a": [1]}, {}]}), "$or[1]", "is empty");
    check(
        json!({"$or": [{"a": [1]}, {"b": "x"}]}),
        "$or[1].b",
        "values go into brackets",
    );
    for name in ["numeric", "cidr", "=", "regex"] {
        let path = if name == "=" {
            "$or[1].a.\"=\"".to_owned()
        } else {
            format!("$or[1].a.{name}")
        };
        check(
            json!({"$or": [{"a": [1]}, {"a": {name: [1]}}]}),
            &path,
            "below `$or`",
        );
    }
}

#[test]
fn too_many_branches() {
    let branch = |n: usize| -> Value {
        let either = |k: usize| json!({format!("f{n}.{k}"): [1]});
        (0..10).map(either).collect()
    };
    let pattern = |levels: usize| {
        let mut pattern = json!({"a": [1]});
        for n in 0..levels {
            pattern[format!("d{n}")] = json!({"$or": branch(n)});
        }
        pattern
    };
    assert!(Pattern::from_value(&pattern(3)).is_ok());
    let error = Pattern::from_value(&pattern(12)).unwrap_err();
    let [mistake] = &error.mistakes[..] else {
        panic!("told once: {error}");
    };
    assert!(
        mistake.message.contains("more than 1000 combinations"),
        "{error}"
    );
    assert_eq!(mistake.path, "d11.$or", "d0, d1 and d10 come before it");
}
