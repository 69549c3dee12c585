//! The SQL that shows the rows of an episode again.

use std::fmt::Write;

use crate::{Rule, rfc3339};

/// A SELECT over the rule's own SELECT that returns the rows of one group in the given ranges `(after, through]` of event
/// time (UTC microseconds), the `spans` of an [`Episode`](crate::Episode): the rows that contributed to it, in order.
///
/// Names are quoted, quotes in values doubled, null is `IS NULL`. Columns are cast to text, as the values of a group are
/// text whatever their column is; DataFusion drops the cast again where it can, so files are still pruned. Times are
/// `TIMESTAMP '...Z'` literals, which it reads as UTC whatever its time zone.
pub fn evidence_sql(
    rule: &Rule,
    group: &[(String, Option<String>)],
    spans: &[(i64, i64)],
) -> String {
    // Its own lines for the rule's SELECT, which may end in a comment.
    let mut sql = format!("SELECT * FROM (\n{}\n) AS measured\nWHERE ", rule.sql);
    for (column, value) in group {
        let _ = match value {
            Some(value) => {
                writeln!(
                    sql,
                    "CAST({} AS VARCHAR) = '{}'",
                    quoted(column),
                    value.replace('\'', "''")
                )
            }
            None => writeln!(sql, "{} IS NULL", quoted(column)),
        };
        sql.push_str("  AND ");
    }
    let range = |&(after, through): &(i64, i64)| {
        let (after, through) = (instant(after), instant(through));
        format!("\"event_time\" > {after} AND \"event_time\" <= {through}")
    };
    match spans {
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

/// A SELECT that returns the row of a gap in a stream. `group` holds its columns and values.
pub fn gap_sql(group: &[(String, Option<String>)]) -> String {
    let equal = |(column, value): &(String, Option<String>)| match value {
        Some(value) => format!("{} = '{}'", quoted(column), value.replace('\'', "''")),
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
        let header = "title: t\nseverity: low\ngroup_by: []\nthreshold: 1\nwindow: 1m\n";
        let rule = Rule::parse(
            "r",
            &format!("/*\n{header}*/\nSELECT * FROM observations -- all\n;"),
        )
        .unwrap();
        let group: Vec<(String, Option<String>)> = group
            .iter()
            .map(|(column, value)| (column.to_string(), value.map(str::to_owned)))
            .collect();
        let sql = evidence_sql(&rule, &group, spans);
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
