//! The SQL that shows the rows of an episode again.

use std::borrow::Cow;
use std::fmt::Write;

use crate::rule::with_time;
use crate::{Count, Episode, Kind, Rule, rfc3339};

/// A SELECT over the rule's own SELECT that returns the rows that contributed to an episode, in order of their times: those of
/// the group, within the episode's `spans` `(after, through]` (UTC microseconds), that show one of its new `values` if it has
/// any. `as_of` (UTC microseconds) is when a query was asked.
///
/// Names are quoted, quotes in values doubled, null is `IS NULL`. Columns are cast to text, as the values of a group are
/// text whatever their column is; DataFusion drops the cast again where it can, so files are still pruned. Times are
/// `TIMESTAMP '...Z'` literals, which it reads as UTC whatever its time zone.
pub fn evidence_sql(
    rule: &Rule,
    group: &[(String, Option<String>)],
    episode: &Episode,
    as_of: i64,
) -> String {
    let measured = match rule.kind {
        Kind::Query => Cow::Owned(with_time(&rule.sql, "$as_of", &instant(as_of))),
        _ => Cow::Borrowed(rule.sql.as_str()),
    };
    // Its own lines for the rule's SELECT, which may end in a comment.
    let mut sql = format!("SELECT * FROM (\n{measured}\n) AS measured\nWHERE ");
    for (column, value) in group {
        let is_list = rule.lists.contains(column);
        let _ = match (value, is_list) {
            (Some(value), false) => writeln!(sql, "{} = {}", text(column), literal(value)),
            (Some(value), true) => {
                writeln!(sql, "array_has({}, {})", quoted(column), literal(value))
            }
            (None, false) => writeln!(sql, "{} IS NULL", quoted(column)),
            (None, true) => writeln!(sql, "coalesce(cardinality({}), 0) = 0", quoted(column)),
        };
        sql.push_str("  AND ");
    }
    for condition in conditions(rule, episode) {
        let _ = write!(sql, "{condition}\n  AND ");
    }
    let range = |&(after, through): &(i64, i64)| {
        let (after, through) = (instant(after), instant(through));
        format!("\"event_time\" > {after} AND \"event_time\" <= {through}")
    };
    match &episode.spans[..] {
        [] => sql.push_str("false"),
        [span] => sql.push_str(&range(span)),
        spans => {
            let ranges: Vec<String> = spans.iter().map(range).collect();
            let _ = write!(sql, "(({}))", ranges.join(")\n    OR ("));
        }
    }
    sql.push_str("\nORDER BY \"event_time\"");
    sql
}

/// What else a row of the SELECT must be for it to count.
fn conditions(rule: &Rule, episode: &Episode) -> Vec<String> {
    let mut conditions = Vec::new();
    let counts = |count: &Count| match count {
        Count::Occurrences => Some("\"version_id\" IS NOT NULL AND \"increase\" IS NOT NULL"),
        Count::Versions | Count::Sum(_) | Count::Average(_) | Count::Percentile(..) => {
            Some("\"version_id\" IS NOT NULL")
        }
        Count::Findings | Count::Distinct(_) => None,
    };
    conditions.extend(counts(&rule.count).map(str::to_owned));
    match &rule.kind {
        Kind::Sequence { steps, .. } => {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            let is_list = rule.lists.iter().any(|list| list == "step");
            conditions.push(one_of("step", is_list, &names));
            for step in steps {
                let needed = step.needs.as_ref().and_then(|needs| counts(&needs.count));
                let Some(counts) = needed else { continue };
                let other = |name: &&str| *name != step.name;
                let others: Vec<&str> = names.iter().copied().filter(other).collect();
                conditions.push(match others.is_empty() {
                    true => counts.to_owned(),
                    false => format!("({} OR {counts})", one_of("step", is_list, &others)),
                });
            }
        }
        Kind::NewTerms { term, .. } if !episode.values.is_empty() => {
            let values: Vec<&str> = episode.values.iter().map(String::as_str).collect();
            conditions.push(match &term[..] {
                [column] => one_of(column, rule.lists.contains(column), &values),
                columns => {
                    let columns: Vec<String> = columns.iter().map(|column| text(column)).collect();
                    let combined = |value: &&str| {
                        let parts: Vec<String> = value.split('\u{1f}').map(literal).collect();
                        parts.join(" || chr(31) || ")
                    };
                    let values: Vec<String> = values.iter().map(combined).collect();
                    let columns = columns.join(" || chr(31) || ");
                    format!("{columns} IN ({})", values.join(", "))
                }
            });
        }
        _ => {}
    }
    conditions
}

fn one_of(column: &str, is_list: bool, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    let values = values.join(", ");
    match is_list {
        true => format!("array_has_any({}, make_array({values}))", quoted(column)),
        false => format!("{} IN ({values})", text(column)),
    }
}

/// A column as text.
fn text(column: &str) -> String {
    format!("CAST({} AS VARCHAR)", quoted(column))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A SELECT that returns the row of a gap in a stream. `group` holds its columns and values.
pub fn gap_sql(group: &[(String, Option<String>)]) -> String {
    let equal = |(column, value): &(String, Option<String>)| match value {
        Some(value) => format!("{} = {}", quoted(column), literal(value)),
        None => format!("{} IS NULL", quoted(column)),
    };
    let conditions: Vec<String> = group.iter().map(equal).collect();
    format!("SELECT * FROM gaps\nWHERE {}", conditions.join("\n  AND "))
}

/// A time as SQL. DataFusion reads literals by way of nanoseconds, which end in 1677 and 2262; a finding may claim any year.
fn instant(micros: i64) -> String {
    if micros.checked_mul(1_000).is_some() {
        format!("TIMESTAMP '{}'", rfc3339(micros))
    } else {
        format!("to_timestamp_micros({micros})")
    }
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::evidence_sql;
    use crate::Rule;

    const TEN: i64 = 1_795_255_200_000_000;

    #[track_caller]
    fn check(group: &[(&str, Option<&str>)], spans: &[(i64, i64)], expected: &str) {
        let header = "group_by: []\nthreshold: 1\nwindow: 1m\n";
        check_rule(header, &[], group, &[], spans, expected);
    }

    #[track_caller]
    fn check_rule(
        header: &str,
        lists: &[&str],
        group: &[(&str, Option<&str>)],
        values: &[&str],
        spans: &[(i64, i64)],
        expected: &str,
    ) {
        let select = "SELECT * FROM observations -- all\n;";
        let header = format!("/*\ntitle: t\nseverity: low\n{header}*/\n{select}");
        let mut rule = Rule::parse("r", &header).unwrap_or_else(|error| panic!("{error}"));
        rule.lists = lists.iter().map(|list| list.to_string()).collect();
        let group: Vec<(String, Option<String>)> = group
            .iter()
            .map(|(column, value)| (column.to_string(), value.map(str::to_owned)))
            .collect();
        let mut rows = crate::Observations::new();
        rows.push(&crate::Observation {
            event_time: 0,
            finding: finding::FindingKey(0),
            version: finding::VersionHash(0),
            increase: 0,
            value: None,
            number: None,
            step: 0,
            account_id: "",
            region: "",
            finding_id: "",
            finding_type: None,
            severity: None,
        });
        let terms = crate::Terms {
            measure: crate::Measure::Given,
            window: 1,
            suppress_for: 1,
        };
        let mut episode = crate::sweep(&terms, &mut rows, 0).remove(0);
        episode.spans = spans.to_vec();
        episode.values = values.iter().map(|value| value.to_string()).collect();
        let sql = evidence_sql(&rule, &group, &episode, 0);
        let rest = sql
            .strip_prefix(
                "SELECT * FROM (\nSELECT * FROM observations -- all\n) AS measured\nWHERE ",
            )
            .unwrap();
        assert_eq!(
            rest.strip_suffix("\nORDER BY \"event_time\""),
            Some(expected)
        );
    }

    #[test]
    fn lists_steps_and_new_values() {
        check_rule(
            "group_by: [bucket_names]\ncount: occurrences\nthreshold: 1\nwindow: 1m\n",
            &["bucket_names"],
            &[("bucket_names", Some("it's"))],
            &[],
            &[],
            "array_has(\"bucket_names\", 'it''s')\n  AND \"version_id\" IS NOT NULL AND \"increase\" IS NOT NULL\n  AND false",
        );
        check_rule(
            "group_by: []\nkind: sequence\nsteps:\n  - step: a\n    count: versions\n    threshold: 2\n    window: 1m\n  - b\nwindow: 1h\n",
            &[],
            &[],
            &[],
            &[],
            "CAST(\"step\" AS VARCHAR) IN ('a', 'b')\n  AND (CAST(\"step\" AS VARCHAR) IN ('b') OR \"version_id\" IS NOT NULL)\n  AND false",
        );
        let new = "group_by: []\nkind: new_terms\nlookback: 1d\nterm: ";
        check_rule(
            &format!("{new}type\n"),
            &[],
            &[],
            &["x", "y'"],
            &[],
            "CAST(\"type\" AS VARCHAR) IN ('x', 'y''')\n  AND false",
        );
        check_rule(
            &format!("{new}[type, region]\n"),
            &[],
            &[],
            &["x\u{1f}'r"],
            &[],
            "CAST(\"type\" AS VARCHAR) || chr(31) || CAST(\"region\" AS VARCHAR) IN ('x' || chr(31) || '''r')\n  AND false",
        );
    }

    #[test]
    fn a_query_keeps_the_time_at_which_it_was_asked() {
        let text = "SELECT '$as_of', event_time FROM t WHERE at > $as_of -- $as_of";
        assert_eq!(
            crate::rule::with_time(text, "$as_of", "X"),
            "SELECT '$as_of', event_time FROM t WHERE at > X -- $as_of"
        );
    }

    #[test]
    fn one_range() {
        check(
            &[("remote_ip", Some("198.51.100.7")), ("region", None)],
            &[(TEN, TEN + 1)],
            "CAST(\"remote_ip\" AS VARCHAR) = '198.51.100.7'\n  AND \"region\" IS NULL\n  AND \"event_time\" > TIMESTAMP '2026-11-21T10:00:00Z' \
             AND \"event_time\" <= TIMESTAMP '2026-11-21T10:00:00.000001Z'",
        );
    }

    #[test]
    fn several_ranges_and_no_group() {
        let (a, b) = (
            "TIMESTAMP '2026-11-21T10:00:00Z'",
            "TIMESTAMP '2026-11-21T10:00:01Z'",
        );
        let range = format!("(\"event_time\" > {a} AND \"event_time\" <= {b})");
        check(
            &[],
            &[(TEN, TEN + 1_000_000), (TEN, TEN + 1_000_000)],
            &format!("({range}\n    OR {range})"),
        );
        check(&[], &[], "false");
    }

    #[test]
    fn times_that_nanoseconds_cannot_hold() {
        check(
            &[],
            &[(i64::MIN, 253_402_300_799_000_000)],
            "\"event_time\" > to_timestamp_micros(-9223372036854775808) \
             AND \"event_time\" <= to_timestamp_micros(253402300799000000)",
        );
    }

    #[test]
    fn hostile_values_and_names_stay_within_their_quotes() {
        check(
            &[("odd\"name", Some("x' OR ''='")), ("n", Some("--\n/*;"))],
            &[],
            "CAST(\"odd\"\"name\" AS VARCHAR) = 'x'' OR ''''='''\n  AND CAST(\"n\" AS VARCHAR) = '--\n/*;'\n  AND false",
        );
    }
}
