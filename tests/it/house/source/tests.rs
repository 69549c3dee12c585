//! The rules about Rust text complain where they should and nowhere else.

use super::*;

fn complaints(rule: fn(&[TextFile]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&[TextFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }])
}

fn sql(text: &str) -> usize {
    complaints(sql_in_strings, "crates/lake/src/read.rs", text).len()
}

#[test]
fn sql_in_any_kind_of_string_is_found() {
    let found = complaints(
        sql_in_strings,
        "crates/lake/src/read.rs",
        "fn f() {}\nconst A: &str = \"SELECT 1\";\n",
    );
    assert_eq!(
        found,
        ["crates/lake/src/read.rs:2: SQL in a string: \"SELECT 1\""]
    );
    for text in [
        r#"f("\n  select a from b")"#,
        r##"f(r#"INSERT INTO a VALUES ("b")"#)"##,
        r#"format!("CREATE TABLE {a}")"#,
        r#"f("create or replace view a")"#,
        r#"f(b"SELECT 1")"#,
        r#"let c = '"'; let d = '\''; f("with a as (values (1))")"#,
        r#"fn f<'a>(a: &'a str) { g("select 1") }"#,
        r#"#[cfg(test)] mod tests; fn f() { g("select 1") }"#,
    ] {
        assert_eq!(sql(text), 1, "{text}");
    }
}

#[test]
fn words_comments_and_tests_are_no_sql() {
    for text in [
        r#"f("SELECT")"#,
        r#"f("create the table")"#,
        r#"f("insert a row")"#,
        r#"f("with many words")"#,
        r#"f("selected 3 rows")"#,
        r#"f("cannot \" select 1")"#,
        "// f(\"SELECT 1\")\n/* /* */ \"SELECT 1\" */",
        r#"#[cfg(test)] mod tests { fn a() { f("SELECT 1") } }"#,
        r#"#[cfg(test)] fn a(b: [u8; 2]) { f("SELECT 1") }"#,
        r#"let r#type = 1; f("a")"#,
    ] {
        assert_eq!(sql(text), 0, "{text}");
    }
    for path in [
        "crates/lake/src/read/tests.rs",
        "crates/lake/src/testing.rs",
        "crates/lake/tests/read.rs",
    ] {
        assert!(
            complaints(sql_in_strings, path, "f(\"SELECT 1\")").is_empty(),
            "{path}"
        );
    }
}

#[test]
fn an_allowance_is_for_one_file() {
    let text = "f(\"SELECT * FROM (\")";
    assert!(complaints(sql_in_strings, "crates/alerts/src/evidence.rs", text).is_empty());
    assert_eq!(sql(text), 1);
}

#[test]
fn a_clock_in_a_quiet_crate_is_found() {
    let check = |path: &str, text: &str| complaints(world_in_quiet_rooms, path, text);
    let found = check(
        "crates/alerts/src/life.rs",
        "use a;\nlet now = SystemTime::now();",
    );
    assert_eq!(
        found,
        [
            "crates/alerts/src/life.rs:2: `SystemTime` in a quiet crate",
            "crates/alerts/src/life.rs:2: `now` in a quiet crate",
        ]
    );
    assert_eq!(
        check("crates/sample/src/rng.rs", "std::env::var(\"A\")").len(),
        1
    );
    assert_eq!(check("crates/finding/src/lib.rs", "use std::fs;").len(), 1);
    for good in [
        "env!(\"A\")",
        "use std::net::Ipv4Addr; // Instant",
        "let a = \"Instant\";",
        "#[cfg(test)] mod tests { use std::fs; }",
    ] {
        assert!(
            check("crates/finding/src/lib.rs", good).is_empty(),
            "{good}"
        );
    }
    assert!(check("crates/lake/src/lib.rs", "std::fs::read(a)").is_empty());
    assert!(check("crates/finding/tests/a.rs", "std::fs::read(a)").is_empty());
}
