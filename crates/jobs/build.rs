//! Lists the files of `sql/` so that the binary carries them.

#![allow(clippy::print_stdout, reason = "cargo reads it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDERS: [&str; 4] = ["views", "trends", "alerts", "investigations"];

fn main() -> io::Result<()> {
    let sql = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../sql")
        .canonicalize()?;
    let mut list = String::from("&[\n");
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", sql.join(folder).display());
        for file in files(&sql.join(folder), "sql")? {
            println!("cargo::rerun-if-changed={}", file.display());
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            writeln!(
                list,
                "    ({folder:?}, {stem:?}, include_str!({:?})),",
                file.display().to_string()
            )
            .expect("a String takes all text");
        }
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("sql.rs"), list)?;
    for (name, folder) in [("timelines.rs", "alerts/tests"), ("reports.rs", "reports")] {
        fs::write(out.join(name), named(&sql.join(folder))?)?;
    }
    Ok(())
}

/// `(stem, text)` of the YAML files of a folder.
fn named(folder: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut list = String::from("&[\n");
    for file in files(folder, "yaml")? {
        println!("cargo::rerun-if-changed={}", file.display());
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(
            list,
            "    ({stem:?}, include_str!({:?})),",
            file.display().to_string()
        )
        .expect("a String takes all text");
    }
    list.push(']');
    Ok(list)
}

fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == ending)
    });
    files.sort();
    Ok(files)
}
