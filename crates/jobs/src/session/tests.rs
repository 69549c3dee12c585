//! Sessions: what may be asked, what mistakes look like, what reaches the scan, and what happens when memory runs out.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use lake::Table;

use crate::testing::{ask, empty, findings, lines, over};
use crate::{Given, Kind, Library, Limits, Remedy, ScriptError, Session, Source};

fn given(values: &[(&str, &str)]) -> Given {
    values
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

#[tokio::test]
async fn mistakes_point_at_the_word() {
    let session = empty().await;
    let cases = [
        (
            "SELECT accont_id FROM findings",
            "no column \"accont_id\"",
            "accont_id",
            Some("did you mean \"account_id\"?"),
        ),
        (
            "SELECT f.sevrity\nFROM findings f",
            "no column \"sevrity\"",
            "sevrity",
            Some("did you mean \"severity\"?"),
        ),
        (
            "SELECT *\nFROM finding",
            "no table \"finding\"",
            "finding",
            Some("did you mean \"findings\"?"),
        ),
        (
            "SELECT cuont(*) FROM findings",
            "no function \"cuont\"",
            "cuont",
            Some("did you mean \"count\"?"),
        ),
        (
            "SELECT name FROM findings",
            "no column \"name\"",
            "name",
            Some("accounts, accounts_history has it"),
        ),
        (
            "SELECT 1 FORM findings f",
            "Expected: end of statement, found: findings",
            "findings",
            None,
        ),
        ("SELECT region, count(*) FROM findings", "", "region", None),
        (
            "SELECT account_id FROM findings WHERE",
            "Expected: an expression, found: EOF",
            "",
            None,
        ),
        (
            "SELECT 'abc FROM findings",
            "Unterminated string literal",
            "",
            None,
        ),
        ("", "there is no query here", "", None),
        (
            "SELECT * FROM '/etc/passwd'",
            "no table \"/etc/passwd\"",
            "'/etc/passwd'",
            Some("files cannot be read from SQL; load them with ingest"),
        ),
    ];
    for (sql, message, word, help) in cases {
        let error = ask(&session, sql).await.unwrap_err();
        assert!(error.message.contains(message), "{sql}: {error:?}");
        assert_eq!(error.kind, Remedy::Correct, "{sql}");
        if let Some(place) = error.place.filter(|_| !word.is_empty()) {
            let line = sql.lines().nth(place.line as usize - 1).unwrap();
            let found: String = line
                .chars()
                .skip(place.column as usize - 1)
                .take(place.length as usize)
                .collect();
            assert!(
                word.contains(&found) && word.ends_with(&found),
                "{sql}: {found}"
            );
        } else {
            assert!(word.is_empty(), "{sql}: {error:?}");
        }
        if help.is_some() {
            assert_eq!(error.help.as_deref(), help, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_mistake_is_drawn_under_its_line() {
    let session = empty().await;
    let sql = "SELECT account_id,\n\tsevrity FROM findings";
    let drawn = ask(&session, sql).await.unwrap_err().render("query", sql);
    assert_eq!(
        drawn,
        "error: no column \"sevrity\"\n --> query:2:2\n  |\n2 | \tsevrity FROM findings\n  | \t^^^^^^^\nhelp: did you mean \"severity\"?\n"
    );
}

#[tokio::test]
async fn nothing_can_be_changed_or_read_beside_the_lake() {
    let session = empty().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.csv");
    for sql in [
        "CREATE TABLE x AS SELECT 1".to_owned(),
        "CREATE VIEW findings AS SELECT 1".to_owned(),
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "DROP VIEW observations".to_owned(),
        "INSERT INTO findings SELECT * FROM findings".to_owned(),
        "DELETE FROM findings".to_owned(),
        format!("COPY findings TO '{}'", target.display()),
        format!("EXPLAIN ANALYZE COPY findings TO '{}'", target.display()),
        "SET datafusion.execution.target_partitions = 1".to_owned(),
        "RESET datafusion.execution.target_partitions".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "CREATE FUNCTION f() RETURNS INT RETURN 1".to_owned(),
        "BEGIN".to_owned(),
    ] {
        let error = ask(&session, &sql).await.expect_err(&sql);
        assert_eq!(error.kind, Remedy::ReadOnly, "{sql}: {error}");
        assert!(
            error.message.starts_with("SQL is read-only here"),
            "{sql}: {error}"
        );
    }
    assert!(!target.exists());
    for sql in [
        "SHOW TABLES",
        "DESCRIBE findings",
        "SHOW COLUMNS FROM observations",
        "EXPLAIN SELECT * FROM observations",
        "SHOW ALL",
    ] {
        ask(&session, sql).await.expect(sql);
    }
}

fn some_findings(n: usize) -> RecordBatch {
    let text = |make: &dyn Fn(usize) -> String| {
        Arc::new(StringArray::from_iter_values((0..n).map(make))) as ArrayRef
    };
    let times =
        TimestampMicrosecondArray::from_iter_values((0..n).map(|at| at as i64 * 60_000_000))
            .with_timezone("UTC");
    findings(vec![
        ("account_id", text(&|at| format!("{:012}", at % 7))),
        ("finding_id", text(&|at| format!("{at:032}"))),
        (
            "remote_ip",
            text(&|at| format!("10.{}.{}.{}", at >> 16, at >> 8 & 255, at & 255)),
        ),
        ("event_time", Arc::new(times)),
    ])
}

#[tokio::test]
async fn memory_is_bounded() {
    let limits = Limits {
        memory: 4 << 20,
        spill: 0,
        partitions: Some(2),
        ..Limits::default()
    };
    let rows = vec![(Table::Findings, vec![some_findings(60_000)])];
    let session = Session::in_memory(rows, &Library::built_in(), &limits)
        .await
        .unwrap();
    let sql = "SELECT remote_ip, count(*) AS n, count(DISTINCT account_id) FROM findings GROUP BY remote_ip ORDER BY n DESC LIMIT 20";
    let error = ask(&session, sql).await.unwrap_err();
    assert_eq!(error.kind, Remedy::AskForLess, "{error}");
    assert!(error.help.is_some(), "{error}");
    assert!(
        error
            .message
            .starts_with("the query needs more memory than it may use"),
        "{error}"
    );
    assert_eq!(
        ask(&session, "SELECT count(*) FROM findings")
            .await
            .unwrap(),
        "60000"
    );
}

#[tokio::test]
async fn what_does_not_fit_goes_to_disk() {
    let limits = Limits {
        memory: 12 << 20,
        partitions: Some(2),
        ..Limits::default()
    };
    let rows = vec![(Table::Findings, vec![some_findings(60_000)])];
    let session = Session::in_memory(rows, &Library::built_in(), &limits)
        .await
        .unwrap();
    let sql = "SELECT finding_id, account_id, remote_ip FROM findings ORDER BY remote_ip DESC, finding_id";
    assert_eq!(ask(&session, sql).await.unwrap().lines().count(), 60_000);
}

#[tokio::test]
async fn time_is_bounded() {
    let limits = Limits {
        time: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let session = Session::in_memory(Vec::new(), &Library::built_in(), &limits)
        .await
        .unwrap();
    let sql = "SELECT count(*) FROM range(0, 100000000) AS a(x), range(0, 100000000) AS b(y) WHERE x + y = -1";
    let error = ask(&session, sql).await.unwrap_err();
    assert_eq!(error.kind, Remedy::AskForLess, "{error}");
}

/// The scan's line of the optimised plan, and the whole plan.
async fn plan_of(session: &Session, sql: &str) -> String {
    ask(session, &format!("EXPLAIN FORMAT INDENT {sql}"))
        .await
        .unwrap()
}

#[tokio::test]
async fn views_cost_what_is_asked_of_them() {
    let session = over(vec![some_findings(10)]).await;
    let window = |plan: &str| plan.contains("WindowAgg");
    // The filter on a plain column lies under the window and the unnest, next to the scan.
    let reaches = |plan: &str, column: &str| {
        let lines: Vec<&str> = plan.lines().collect();
        let scan = lines
            .iter()
            .position(|line| line.contains("TableScan: findings"))
            .unwrap();
        lines[scan.saturating_sub(2)..=scan].iter().any(|line| {
            line.contains("Filter") && line.contains(column)
                || line.contains("filters=") && line.contains(column)
        })
    };
    let from = "event_time >= TIMESTAMP '2026-01-01T00:00:00Z'";
    for view in ["versions", "observations"] {
        let plan = plan_of(
            &session,
            &format!(
                "SELECT type, count(*) FROM {view} WHERE {from} AND account_id = '1' GROUP BY type"
            ),
        )
        .await;
        assert!(!window(&plan), "{view}\n{plan}");
        assert!(
            reaches(&plan, "event_time") && reaches(&plan, "account_id"),
            "{view}\n{plan}"
        );
        let plan = plan_of(
            &session,
            &format!("SELECT sum(increase) FROM {view} WHERE {from} AND account_id = '1'"),
        )
        .await;
        assert!(window(&plan), "{view}\n{plan}");
        assert!(
            reaches(&plan, "account_id") && !reaches(&plan, "event_time"),
            "{view}\n{plan}"
        );
        let plan = plan_of(
            &session,
            &format!("SELECT count(*) FROM {view} WHERE account_id = '1'"),
        )
        .await;
        assert!(!plan.contains("raw"), "{view}\n{plan}");
    }
    let plan = plan_of(
        &session,
        "SELECT type FROM current_findings WHERE account_id = '1'",
    )
    .await;
    assert!(
        reaches(&plan, "account_id") && !plan.contains("raw"),
        "{plan}"
    );
}

#[tokio::test]
async fn parameters_are_typed_and_never_sql() {
    let session = empty().await;
    let sql = "SELECT $a, arrow_typeof($a), $b + 1, $c, round($d) FROM range(0, 3) LIMIT $n";
    let values = given(&[
        ("a", "x'; DROP TABLE findings --"),
        ("b", "-2"),
        ("c", "true"),
        ("d", "2.5"),
        ("n", "1"),
    ]);
    let rows = session
        .sql(sql, &values)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(lines(&rows), "x'; DROP TABLE findings --|Utf8|-1|true|3.0");
    let error = session
        .sql("SELECT $name", &Given::new())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "1:8: no value for parameter \"name\" (give it as name=value)"
    );
    let error = session
        .sql("SELECT $name", &given(&[("nmae", "x")]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "1:8: no value for parameter \"name\" (did you mean \"$nmae\"?)"
    );
    let error = session
        .sql("SELECT 1", &given(&[("x", "1")]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query has no parameter \"x\" (it takes none)"
    );
    let plan = session
        .sql("EXPLAIN SELECT $x", &given(&[("x", "1")]))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert!(lines(&plan).contains("Int64(1)"));
}

#[tokio::test]
async fn scripts_take_their_declared_types() {
    let session = over(vec![some_findings(3)]).await;
    let text = "/*\ntitle: t\nparameters:\n  - {name: t, type: timestamp, default: end - 1d}\n  - {name: x, type: text, default: 12}\n*/\nSELECT $t, arrow_typeof($t), $x, arrow_typeof($x)";
    let script = crate::Script::read(Source {
        name: "s".into(),
        file: "s.sql".into(),
        text: text.into(),
    })
    .unwrap();
    let rows = session
        .run(&script, &Given::new())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(
        lines(&rows),
        "1970-01-01T00:00:00Z|Timestamp(µs, \"UTC\")|12|Utf8"
    );
    let error = session
        .run(&script, &given(&[("t", "soon")]))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .starts_with("parameter t: \"soon\" is not a time"),
        "{error}"
    );
    let error = session
        .run(&script, &given(&[("tt", "1")]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query has no parameter \"tt\" (did you mean \"t\"?)"
    );
}

#[test]
fn headers_say_where_they_are_wrong() {
    let read = |text: &str| {
        crate::Script::read(Source {
            name: "s".into(),
            file: "s.sql".into(),
            text: text.into(),
        })
    };
    let wrong = |text: &str| match read(text) {
        Err(error @ ScriptError::Header { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(wrong("SELECT 1").starts_with("s.sql:1:1: no header"));
    assert!(
        wrong("/*\ntitle: t\nparamters: []\n*/").starts_with("s.sql:3:1: "),
        "{}",
        wrong("/*\ntitle: t\nparamters: []\n*/")
    );
    let bad_default =
        "\n/*\ntitle: t\nparameters:\n  - {name: n, type: integer, default: many}\n*/";
    assert_eq!(
        wrong(bad_default),
        "s.sql:5:1: default of n: \"many\" is not a whole number"
    );
    let dashes =
        read("-- title: t\n-- parameters:\n--   - {name: n, type: integer}\nSELECT $n").unwrap();
    assert_eq!(dashes.header.parameters[0].name, "n");
}

fn view(library: &mut Library, name: &str, sql: &str) {
    let text = format!("/*\ntitle: t\n*/\n{sql}");
    let source = Source {
        name: name.into(),
        file: format!("{name}.sql"),
        text: text.into(),
    };
    library.insert(Kind::View, source);
}

#[tokio::test]
async fn views_of_ones_own_replace_and_add() {
    let mut library = Library::built_in();
    view(&mut library, "a_first", "SELECT * FROM z_later");
    view(
        &mut library,
        "z_later",
        "SELECT account_id FROM observations",
    );
    let session = Session::in_memory(Vec::new(), &library, &Limits::default())
        .await
        .unwrap();
    assert_eq!(ask(&session, "SELECT * FROM a_first").await.unwrap(), "");
    view(&mut library, "z_later", "SELECT * FROM a_first");
    let error = Session::in_memory(Vec::new(), &library, &Limits::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("in a circle"), "{error}");
    library.insert(
        Kind::View,
        Source {
            name: "z_later".into(),
            file: "z.sql".into(),
            text: "/*\ntitle: t\n*/\nSELECT nope FROM findings".into(),
        },
    );
    let error = Session::in_memory(Vec::new(), &library, &Limits::default())
        .await
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "z.sql:4:8: no column \"nope\"");
}
