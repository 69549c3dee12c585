//! Reads the repository and `cargo metadata` into plain values for the rules. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::rooms::Room;

/// A text file; `path` is relative to the repository, with slashes.
pub(super) struct TextFile {
    pub(super) path: String,
    pub(super) text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the repository")
}

/// One file of the repository.
pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// One file of the repository, with its path.
pub(super) fn file(path: &str) -> TextFile {
    TextFile {
        path: path.to_owned(),
        text: read(path),
    }
}

/// What `deny/advisories.py` wrote: where `GUARDLAKE_ADVISORIES` says, or in its own place if it is there.
pub(super) fn advisories() -> Option<String> {
    const OWN: &str = "deny/advisories.json";
    match std::env::var_os("GUARDLAKE_ADVISORIES") {
        Some(path) => Some(read(&path.to_string_lossy())),
        None => root().join(OWN).exists().then(|| read(OWN)),
    }
}

/// All files below some folders whose name ends in `.extension`, sorted.
pub(super) fn files(folders: &[&str], extension: &str) -> Vec<TextFile> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root().join(folder), extension, &mut paths);
    }
    paths.sort();
    assert!(!paths.is_empty(), "no .{extension} below {folders:?}");
    let relative = |path: &Path| {
        let path = path.strip_prefix(root()).expect("found below the root");
        path.to_string_lossy().replace('\\', "/")
    };
    paths
        .iter()
        .map(|path| relative(path))
        .map(|path| TextFile {
            text: read(&path),
            path,
        })
        .collect()
}

fn walk(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) {
    const NOT_SOURCES: [&str; 3] = ["target", "corpus", "artifacts"];
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            if !NOT_SOURCES.iter().any(|name| path.ends_with(name)) {
                walk(&path, extension, paths);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
}

/// What cargo knows of all packages. Read once, without network.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        // A build downloads what this machine needs; packages of other systems may be missing, then they are left out.
        let text = ask_cargo(&[])
            .or_else(|_| ask_cargo(&["--filter-platform", &host()]))
            .unwrap_or_else(|said| panic!("cargo metadata: {said}"));
        serde_json::from_str(&text).expect("cargo metadata prints JSON")
    })
}

fn ask_cargo(more: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    run(command.args(more).current_dir(root()))
}

fn host() -> String {
    let told = run(Command::new("rustc").arg("-vV")).expect("rustc tells its version");
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Names of packages by id.
fn names() -> BTreeMap<&'static str, &'static str> {
    let packages = list(metadata(), "packages").iter();
    packages.map(|p| (text(p, "id"), text(p, "name"))).collect()
}

/// All crates of the workspace. Development dependencies are left out.
pub(super) fn rooms() -> Vec<Room> {
    let names = names();
    let members: BTreeSet<_> = list(metadata(), "workspace_members")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let ours: BTreeSet<_> = members.iter().map(|id| names[id]).collect();
    let packages = list(metadata(), "packages").iter();
    let member = packages.filter(|package| members.contains(text(package, "id")));
    let room = |package| {
        let used = list(package, "dependencies")
            .iter()
            .filter(|dependency| text(dependency, "kind") != "dev");
        Room {
            name: text(package, "name").to_owned(),
            uses: used
                .map(|dependency| text(dependency, "name"))
                .filter(|name| ours.contains(name))
                .map(str::to_owned)
                .collect(),
            reaches: reached(text(package, "id"), &names),
        }
    };
    member.map(room).collect()
}

/// Every package that gets linked into `start`, itself left out.
fn reached(start: &str, names: &BTreeMap<&str, &str>) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> = list(&metadata()["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), list(node, "deps")))
        .collect();
    let mut found = BTreeSet::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        for edge in nodes.get(id).copied().unwrap_or_default() {
            let linked = list(edge, "dep_kinds").iter().any(|k| k["kind"].is_null());
            if linked && found.insert(text(edge, "pkg")) {
                open.push(text(edge, "pkg"));
            }
        }
    }
    found.into_iter().map(|id| names[id].to_owned()).collect()
}

/// Features that are switched on, by package name.
pub(super) fn features() -> Vec<(String, Vec<String>)> {
    let names = names();
    let nodes = list(&metadata()["resolve"], "nodes").iter();
    nodes
        .map(|node| {
            let features = list(node, "features").iter().filter_map(Value::as_str);
            (
                names[text(node, "id")].to_owned(),
                features.map(str::to_owned).collect(),
            )
        })
        .collect()
}

/// Package names and licence expressions as their authors wrote them.
pub(super) fn licences() -> Vec<(String, String)> {
    let packages = list(metadata(), "packages").iter();
    packages
        .map(|p| (text(p, "name").to_owned(), text(p, "license").to_owned()))
        .collect()
}
