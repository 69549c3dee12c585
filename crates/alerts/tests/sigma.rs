//! Every file of `tests/sigma/` with the rules it becomes, or all that is wrong with it, beside it. `UPDATE_SIGMA=1` writes anew what
//! comes out.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use alerts::{Rule, clean, sigma};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigma");
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "yml"))
        .collect();
    files.sort();
    files
}

fn outcome(stem: &str, text: &str) -> String {
    let mut out = String::new();
    match sigma::convert(stem, text) {
        Ok(rules) => {
            for rule in rules {
                let _ = write!(out, "-- {}.sql\n{}", rule.id, rule.text);
            }
        }
        Err(error) => {
            for mistake in error.mistakes {
                let _ = writeln!(out, "{mistake}");
            }
        }
    }
    out
}

#[test]
fn every_file_becomes_what_lies_beside_it() {
    let mut wrong = Vec::new();
    for file in files() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let beside = file.with_extension("txt");
        let found = outcome(stem, &fs::read_to_string(&file).unwrap());
        if std::env::var_os("UPDATE_SIGMA").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{stem}: expected\n{expected}\nbut found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_written_is_plain_and_reads_back() {
    let mut rules = 0;
    for file in files() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        for converted in sigma::convert(stem, &text).into_iter().flatten() {
            rules += 1;
            for line in converted.text.lines() {
                assert_eq!(clean(line, line.len()), line, "{stem}");
            }
            let read = Rule::parse(&converted.id, &converted.text).unwrap();
            assert_eq!(read, converted.rule, "{stem}");
            assert!(!read.sql.contains(';') || stem == "hostile", "{stem}");
        }
    }
    assert!(rules >= 15, "only {rules}");
}
