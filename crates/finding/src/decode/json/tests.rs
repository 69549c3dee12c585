//! The reader against serde_json: the same texts are JSON, the same strings are read.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

fn skips(text: &str) -> Result<usize, Fault> {
    let mut c = Cursor::new(text, 0);
    c.skip()?;
    if c.peek() != 0 || c.pos() != text.len() {
        return Err(Fault {
            at: c.pos(),
            why: "more follows",
        });
    }
    Ok(c.pos())
}

/// Rebuilds a value through the reader's own visitors.
fn rebuild(c: &mut Cursor<'_>) -> Result<Value, Fault> {
    match c.peek() {
        b'{' => {
            let mut members = serde_json::Map::new();
            c.object(|c, key| {
                let value = rebuild(c)?;
                members.insert(key.text.clone().into_owned(), value);
                Ok(())
            })?;
            Ok(Value::Object(members))
        }
        b'[' => {
            let mut elements = Vec::new();
            c.each(|c| {
                elements.push(rebuild(c)?);
                Ok(())
            })?;
            Ok(Value::Array(elements))
        }
        b'"' => Ok(Value::String(c.string()?.into_owned())),
        _ => Ok(serde_json::from_str(c.raw()?).unwrap_or(Value::Null)),
    }
}

fn check(text: &str) {
    let ours = skips(text);
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    if !matches!(
        ours,
        Err(Fault {
            why: "nested too deep",
            ..
        })
    ) {
        assert_eq!(
            ours.is_ok(),
            theirs.is_ok(),
            "{text:?}: {ours:?} {theirs:?}"
        );
    }
    if let Err(fault) = ours {
        assert!(fault.at <= text.len(), "{text:?}: {fault:?}");
    }
    // serde_json refuses numbers and surrogates that are grammatical; where it reads a value, so do we.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(rebuild(&mut Cursor::new(text, 0)), Ok(value), "{text:?}");
    }
}

#[test]
fn the_grammar_at_its_edges() {
    for text in [
        "",
        " ",
        "{}",
        "[]",
        "{ }",
        "[ ]",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:2}",
        "[1 2]",
        "{]",
        "[}",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "-a",
        "1.",
        ".1",
        "1.0",
        "1e",
        "1e+",
        "1E-5",
        "1.5e300",
        "1e999",
        "123456789012345678901234567890",
        "true",
        "tru",
        "truee",
        "false",
        "null",
        "nul",
        "True",
        "NaN",
        "\"",
        "\"a",
        "\"a\"",
        "\"\\\"",
        "\"\\\"\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\x41\"",
        "\"\u{1}\"",
        "\"\u{7f}\"",
        "\"\n\"",
        "\"é\"",
        "\"\\\\\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "1 1",
        "{}{}",
        "\u{feff}{}",
        "[1]x",
        "{\"a\":1,\"a\":2}",
        "\"0123456\u{1f}\"",
        "\"01234567\\n\"",
        "\"exactly eight\"",
        "[[],[[]],{\"\":[]}]",
        "{\"\\u0061\":1}",
    ] {
        check(text);
    }
}

#[test]
fn deep_nesting_is_refused_at_the_same_depth_however_it_is_read() {
    for (depth, fits) in [(127, true), (128, false), (100_000, false)] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(skips(&text).is_ok(), fits, "{depth} lists");
        assert_eq!(
            serde_json::from_str::<Value>(&text).is_ok(),
            fits,
            "{depth} lists in serde_json"
        );
        let text = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert_eq!(skips(&text).is_ok(), fits, "{depth} objects");
        if depth <= 128 {
            assert_eq!(
                rebuild(&mut Cursor::new(&text, 0)).is_ok(),
                fits,
                "{depth} objects, rebuilt"
            );
        }
    }
}

#[test]
fn lone_surrogates_become_the_replacement_character() {
    for (text, expected) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00x""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\uD83D\uDE00\u0000""#, "😀\0"),
        (
            r#""\ud800\udc00\udbff\udfff\ue000""#,
            "\u{10000}\u{10ffff}\u{e000}",
        ),
    ] {
        assert_eq!(
            Cursor::new(text, 0).string().as_deref(),
            Ok(expected),
            "{text}"
        );
    }
}

#[test]
fn a_plain_string_borrows_and_keys_fold() {
    let mut c = Cursor::new(
        r#"{"IpAddressV4":"10.0.0.1","\u0049d":"x","averyveryverylongnamethatnobodyknows":1}"#,
        0,
    );
    let mut names = Vec::new();
    c.object(|c, key| {
        names.push(String::from_utf8_lossy(key.name()).into_owned());
        if key.text == "IpAddressV4" {
            assert!(matches!(c.string()?, Cow::Borrowed("10.0.0.1")));
            return Ok(());
        }
        c.skip()
    })
    .unwrap();
    assert_eq!(names, ["ipaddressv4", "id", ""]);
}

fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(|f| f.to_string()),
        any::<i64>().prop_map(|i| i.to_string()),
        any::<String>().prop_map(|s| Value::String(s).to_string()),
    ];
    scalar.prop_recursive(6, 40, 6, |inner| {
        let member = (any::<String>(), inner.clone())
            .prop_map(|(k, v)| format!("{} : {v}", Value::String(k)));
        prop_oneof![
            proptest::collection::vec(inner, 0..6)
                .prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            proptest::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(",\n"))),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_reads(text in json()) {
        check(&text);
    }

    #[test]
    fn takes_no_text_that_serde_json_does_not(text in json(), at in any::<prop::sample::Index>(), with in "[\\[\\]{}:,\"\\\\0-9eE+.\\-tfn u\n\u{1}]{0,2}") {
        let mut broken: Vec<char> = text.chars().collect();
        let at = at.index(broken.len());
        broken.splice(at..at + 1, with.chars());
        check(&broken.into_iter().collect::<String>());
    }
}
