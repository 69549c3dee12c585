//! The house rules: what ARCHITECTURE.md says of rooms, files, SQL and dependencies, held as tests.
//!
//! Each rule is a pure function from what was read to a list of complaints, with a test beside it that shows it
//! complaining. Here the rules meet the repository; all complaints of a rule come at once.

mod advisories;
mod dependencies;
mod files;
mod repository;
mod rooms;
mod source;

use advisories::{Ignored, Snapshot};
use dependencies::{Deny, Lock};

/// Rust sources that the rules are about.
const SOURCES: [&str; 3] = ["crates", "tests", "fuzz"];

#[track_caller]
fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    check(&rooms::wrong_edges(&repository::rooms()));
}

#[test]
fn quiet_rooms_depend_on_nothing_loud() {
    check(&rooms::loud_dependencies(&repository::rooms()));
}

#[test]
fn quiet_rooms_read_no_clock_and_touch_no_world() {
    check(&source::world_in_quiet_rooms(&repository::files(
        &["crates"],
        "rs",
    )));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    check(&files::without_opening(&repository::files(&SOURCES, "rs")));
}

#[test]
fn no_file_is_too_long() {
    check(&files::too_long(&repository::files(&SOURCES, "rs")));
}

#[test]
fn no_sql_in_rust_strings() {
    check(&source::sql_in_strings(&repository::files(
        &["crates"],
        "rs",
    )));
}

#[test]
fn every_sql_file_has_a_header_and_a_test() {
    let sql = repository::files(&["sql"], "sql");
    check(&files::sql_without_header(&sql));
    check(&files::sql_without_test(
        &sql,
        &repository::files(&["tests/sql"], "slt"),
    ));
}

#[test]
fn what_security_md_says_is_held_by_tests() {
    let document = repository::file("SECURITY.md");
    check(&files::tests_that_are_not_there(
        &document,
        &repository::files(&SOURCES, "rs"),
    ));
}

#[test]
fn one_version_of_the_engine_and_only_crates_io() {
    let lock = Lock::parse(&repository::read("Cargo.lock"));
    check(&lock.doubled(&["arrow", "datafusion", "object_store", "parquet"]));
    check(&lock.foreign());
}

#[test]
fn numbers_in_json_stay_numbers() {
    let features = repository::features();
    check(&dependencies::switched_on(
        &features,
        "serde_json",
        "arbitrary_precision",
    ));
}

#[test]
fn all_licences_are_allowed() {
    let deny = Deny::parse(&repository::read("deny.toml"));
    check(&deny.refused(&repository::licences()));
}

#[test]
fn what_is_ignored_has_a_reason() {
    check(&Ignored::parse(&repository::read("deny.toml")).without_reason());
}

/// Without a snapshot there is nothing to compare with: `ci.yml` makes one, CONTRIBUTING.md says how a person does.
#[test]
#[allow(clippy::print_stdout, reason = "shown by --nocapture")]
fn no_locked_version_has_an_advisory() {
    let Some(snapshot) = repository::advisories() else {
        println!("no deny/advisories.json: advisories are not looked at");
        return;
    };
    let snapshot = Snapshot::parse(&snapshot);
    let ignored = Ignored::parse(&repository::read("deny.toml"));
    let lock = Lock::parse(&repository::read("Cargo.lock"));
    check(&snapshot.not_asked(&lock.others()));
    check(&snapshot.hits(&lock.others(), &ignored));
    check(&snapshot.idle(&lock.others(), &ignored));
}
