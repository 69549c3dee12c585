//! What a detection selects, against the definition.

use std::sync::Arc;

use alerts::sigma;
use arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};
use arrow::record_batch::RecordBatch;
use lake::schema::text_list;
use proptest::prelude::*;

use super::rows;
use crate::testing::{ask, findings, over};

/// Ids of the findings that a detection selects.
async fn selected(detection: &str, batch: RecordBatch) -> Vec<String> {
    let yaml = format!("{{title: T, detection: {detection}}}");
    let converted = sigma::convert("r", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    let session = over(vec![batch]).await;
    let sql = format!(
        "SELECT finding_id FROM ({}) ORDER BY 1",
        converted[0].rule.sql
    );
    let told = ask(&session, &sql)
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    told.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_missing_is_not_what_is_denied() {
    let lines = [
        "finding_id=a user_name=eve",
        "finding_id=b",
        "finding_id=c user_name=bob",
        "finding_id=d user_name=",
    ];
    for (detection, expected) in [
        ("{s: {user_name: EVE}, condition: s}", "a"),
        ("{s: {user_name: eve}, condition: not s}", "b c d"),
        ("{s: {user_name|neq: eve}, condition: s}", "b c d"),
        ("{s: {user_name|neq: [eve, bob]}, condition: s}", "b d"),
        ("{s: {user_name: null}, condition: s}", "b"),
        ("{s: {user_name: null}, condition: not s}", "a c d"),
        ("{s: {user_name: ''}, condition: s}", "d"),
        ("{s: {user_name|exists: false}, condition: s}", "b"),
        ("{s: {user_name: '*'}, condition: s}", "a c d"),
        ("{s: {user_name: [eve, null]}, condition: s}", "a b"),
        (
            "{s: {user_name: eve, region: y}, condition: not s}",
            "a b c d",
        ),
        ("{s: {user_name|cased: EVE}, condition: s}", ""),
        ("{s: {user_name|re: '^[eb]'}, condition: s}", "a c"),
        ("{s: {user_name|re: E}, condition: s}", ""),
        ("{s: {user_name|re|i: E}, condition: s}", "a"),
        ("{s: {user_name|contains|all: [e, v]}, condition: s}", "a"),
        ("{s: {user_name|gt: 3}, condition: s}", "wrong"),
    ] {
        if expected == "wrong" {
            assert!(sigma::convert("r", &format!("{{title: T, detection: {detection}}}")).is_err());
            continue;
        }
        let told = selected(detection, rows(&lines)).await;
        assert_eq!(told.join(" "), expected, "{detection}");
    }
}

#[tokio::test]
async fn the_json_of_a_finding_is_read_in_both_cases() {
    let lines = [
        r#"finding_id=a raw={"service":{"featureName":"RuntimeMonitoring","additionalInfo":{}}}"#,
        r#"finding_id=b raw={"Service":{"FeatureName":"runtimemonitoring"}}"#,
        r#"finding_id=c raw={"service":{"featureName":null}}"#,
        r#"finding_id=d raw={"service":{"action":{"kubernetesApiCallAction":{"statusCode":403}}}}"#,
        "finding_id=e raw=nonsense",
    ];
    for (detection, expected) in [
        (
            "{s: {service.featureName: RuntimeMonitoring}, condition: s}",
            "a b",
        ),
        (
            "{s: {detail.service.featureName|cased: RuntimeMonitoring}, condition: s}",
            "a",
        ),
        (
            "{s: {service.featureName: RuntimeMonitoring}, condition: not s}",
            "c d e",
        ),
        (
            "{s: {service.action.kubernetesApiCallAction.statusCode: 403}, condition: s}",
            "d",
        ),
        (
            "{s: {service.action.kubernetesApiCallAction.statusCode|gte: 403.5}, condition: s}",
            "",
        ),
        (
            "{s: {service.action.kubernetesApiCallAction.statusCode|startswith: 4}, condition: s}",
            "d",
        ),
    ] {
        assert_eq!(
            selected(detection, rows(&lines)).await.join(" "),
            expected,
            "{detection}"
        );
    }
}

#[tokio::test]
async fn keywords_are_looked_for_in_what_a_finding_says() {
    let lines = [
        "finding_id=a title=A+Port+scan",
        "finding_id=b description=portscans",
        "finding_id=c type=Recon:EC2/Portscan",
        "finding_id=d user_name=portscan",
    ];
    for (detection, expected) in [
        ("{k: [portscan], condition: k}", "b c"),
        ("{k: ['port?scan'], condition: k}", "a"),
        ("{k: {'|all': [port, scans]}, condition: k}", "b"),
        ("{k: [{'|cased': Portscan}], condition: k}", "c"),
        ("{k: {'|re': 'Po[rx]t'}, condition: k}", "a c"),
    ] {
        assert_eq!(
            selected(detection, rows(&lines)).await.join(" "),
            expected,
            "{detection}"
        );
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Any,
    One,
    Is(char),
}

/// By definition: what a value says.
fn parts(value: &[char]) -> Vec<Part> {
    let (part, rest) = match value {
        [] => return Vec::new(),
        ['*', rest @ ..] => (Part::Any, rest),
        ['?', rest @ ..] => (Part::One, rest),
        ['\\', next @ ('*' | '?' | '\\'), rest @ ..] => (Part::Is(*next), rest),
        [c, rest @ ..] => (Part::Is(*c), rest),
    };
    let mut all = vec![part];
    all.extend(parts(rest));
    all
}

/// By definition: a pattern against a whole text.
fn fits(pattern: &[Part], text: &[char], cased: bool) -> bool {
    let same = |a: char, b: char| a == b || (!cased && a.to_lowercase().eq(b.to_lowercase()));
    match pattern {
        [] => text.is_empty(),
        [Part::Any, rest @ ..] => (0..=text.len()).any(|from| fits(rest, &text[from..], cased)),
        [Part::One, rest @ ..] => !text.is_empty() && fits(rest, &text[1..], cased),
        [Part::Is(c), rest @ ..] => {
            (text.first()).is_some_and(|first| same(*first, *c)) && fits(rest, &text[1..], cased)
        }
    }
}

/// Text that tries to be something else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        10 => "[abABéÉ1日]",
        6 => "[%_*?\\\\'\";$`/(){}|.^+\\[\\]-]",
        2 => "[\n\t\r\u{1b}\u{202e}\u{feff}]",
        1 => Just("' OR 1=1 --".to_owned()),
        1 => Just("*/ SELECT 1 /*".to_owned()),
        1 => Just("E'\\'".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// In quotes of YAML, every character that is no letter or digit by its number.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        c if c.is_alphanumeric() => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the value, the SELECT is one and selects what the value says: nothing breaks out, nothing is lost.
    #[test]
    fn any_value_selects_what_it_says(
        values in prop::collection::vec(text(), 1..4),
        texts in prop::collection::vec(prop::option::weighted(0.9, text()), 1..12),
        how in prop::sample::select(vec!["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"]),
        field in prop::sample::select(vec!["title", "bucket_names"]),
        deny in any::<bool>(),
    ) {
        // Values that may fit: pieces of the texts too.
        let mut values = values;
        values.extend(texts.iter().flatten().take(1).cloned());
        let values: Vec<String> = values;
        let json: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        let json = format!("[{}]", json.join(", "));
        let condition = if deny { "not s" } else { "s" };
        let detection = format!("{{s: {{\"{field}{how}\": {json}}}, condition: {condition}}}");
        let ids = StringArray::from_iter_values((0..texts.len()).map(|at| format!("{at:02}")));
        let column: ArrayRef = match field {
            "title" => Arc::new(StringArray::from(texts.clone())),
            _ => {
                let mut lists = ListBuilder::new(StringBuilder::new());
                for text in &texts {
                    lists.values().append_option(text.clone());
                    lists.values().append_value("second");
                    lists.append(text.is_some());
                }
                arrow::compute::cast(&(Arc::new(lists.finish()) as ArrayRef), &text_list()).unwrap()
            }
        };
        let batch = findings(vec![("finding_id", Arc::new(ids)), (field, column)]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = runtime.block_on(selected(&detection, batch));
        let cased = how.contains("cased");
        let hit = |text: &str| values.iter().any(|value| {
            let mut pattern = parts(&value.chars().collect::<Vec<_>>());
            if how.contains("contains") || how.contains("endswith") {
                pattern.insert(0, Part::Any);
            }
            if how.contains("contains") || how.contains("startswith") {
                pattern.push(Part::Any);
            }
            fits(&pattern, &text.chars().collect::<Vec<_>>(), cased)
        });
        let expected: Vec<String> = texts.iter().enumerate()
            .filter(|(_, text)| {
                let hit = text.as_ref().is_some_and(|text| hit(text) || (field == "bucket_names" && hit("second")));
                hit != deny
            })
            .map(|(at, _)| format!("{at:02}"))
            .collect();
        prop_assert_eq!(told, expected, "{}", detection);
    }
}
