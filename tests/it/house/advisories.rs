//! Rules about known faults of what others wrote: no locked version has an advisory that `deny.toml` says nothing to.
//!
//! The advisories are those of a snapshot that `deny/advisories.py` makes; CONTRIBUTING.md says how. Ranges are read as
//! cargo reads them; a pre-release lies in none, and so counts as affected.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use serde_json::Value;

/// What the RustSec database said when it was asked about the names in `Cargo.lock`.
pub(super) struct Snapshot {
    asked: BTreeSet<String>,
    advisories: Vec<Advisory>,
}

struct Advisory {
    id: String,
    package: String,
    title: String,
    url: String,
    /// `unmaintained`, `unsound` or `notice`; without a kind it is a vulnerability.
    informational: Option<String>,
    withdrawn: bool,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

impl Snapshot {
    pub(super) fn parse(json: &str) -> Snapshot {
        let snapshot: Value = serde_json::from_str(json).expect("the snapshot is JSON");
        let asked = texts(&snapshot["asked"]);
        let advisories = snapshot["advisories"].as_array();
        Snapshot {
            asked: asked.into_iter().map(str::to_owned).collect(),
            advisories: advisories
                .expect("the snapshot has advisories")
                .iter()
                .map(Advisory::read)
                .collect(),
        }
    }

    /// Locked packages, by name and version, that have an advisory which is not ignored.
    pub(super) fn hits(&self, locked: &[(&str, &str)], ignored: &Ignored) -> Vec<String> {
        self.affected(locked)
            .filter(|(advisory, _)| !ignored.0.contains_key(&advisory.id))
            .map(|(advisory, version)| advisory.complaint(version))
            .collect()
    }

    /// Ignored advisories that no locked version has.
    pub(super) fn idle(&self, locked: &[(&str, &str)], ignored: &Ignored) -> Vec<String> {
        let live: BTreeSet<&str> = self
            .affected(locked)
            .map(|(advisory, _)| advisory.id.as_str())
            .collect();
        let idle = ignored.0.keys().filter(|id| !live.contains(id.as_str()));
        idle.map(|id| format!("deny.toml ignores {id}, which no locked version has any more"))
            .collect()
    }

    /// Locked packages that the database was never asked about.
    pub(super) fn not_asked(&self, locked: &[(&str, &str)]) -> Vec<String> {
        let names: BTreeSet<&str> = locked.iter().map(|(name, _)| *name).collect();
        let new = names.iter().filter(|name| !self.asked.contains(**name));
        new.map(|name| format!("the snapshot knows no {name}: run deny/advisories.py"))
            .collect()
    }

    fn affected<'a>(
        &'a self,
        locked: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a Advisory, &'a str)> {
        self.advisories.iter().flat_map(move |advisory| {
            let named = locked
                .iter()
                .filter(move |(name, _)| advisory.package == *name);
            named
                .filter(move |(_, version)| advisory.affects(version))
                .map(move |(_, version)| (advisory, *version))
        })
    }
}

impl Advisory {
    fn read(value: &Value) -> Advisory {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let told = |key: &str| text(key).unwrap_or_else(|| panic!("no {key} in {value}"));
        let ranges =
            |key: &str| -> Vec<VersionReq> { texts(&value[key]).into_iter().map(range).collect() };
        Advisory {
            id: told("id"),
            package: told("package"),
            title: told("title"),
            url: told("url"),
            informational: text("informational"),
            withdrawn: text("withdrawn").is_some(),
            patched: ranges("patched"),
            unaffected: ranges("unaffected"),
        }
    }

    fn affects(&self, version: &str) -> bool {
        let version = Version::parse(version).unwrap_or_else(|e| panic!("{version}: {e}"));
        let mut fine = self.patched.iter().chain(&self.unaffected);
        !self.withdrawn && !fine.any(|range| range.matches(&version))
    }

    fn complaint(&self, version: &str) -> String {
        let Advisory { id, package, .. } = self;
        let kind = self.informational.as_deref().unwrap_or("vulnerable");
        let patched: Vec<String> = self.patched.iter().map(ToString::to_string).collect();
        let remedy = match patched.is_empty() {
            true => "no version mends it".to_owned(),
            false => format!("mended in {}", patched.join(" or ")),
        };
        let (title, url) = (&self.title, &self.url);
        format!("{id}: {package} {version} is {kind}, {remedy}: {title} ({url})")
    }
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list in the snapshot");
    list.iter()
        .map(|text| text.as_str().expect("a text in the snapshot"))
        .collect()
}

fn range(text: &str) -> VersionReq {
    VersionReq::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The list `ignore` of `deny.toml`: reasons by advisory.
pub(super) struct Ignored(BTreeMap<String, String>);

impl Ignored {
    /// One advisory a line: `{ id = "RUSTSEC-...", reason = "..." },`.
    pub(super) fn parse(deny: &str) -> Ignored {
        let lines = deny.lines().map(str::trim);
        let list = lines
            .skip_while(|line| *line != "ignore = [")
            .skip(1)
            .take_while(|line| *line != "]")
            .filter(|line| !line.starts_with('#'));
        let quoted = list.map(|line| line.split('"').skip(1).step_by(2));
        let pairs = quoted.filter_map(|mut quoted| {
            let id = quoted.next()?.to_owned();
            Some((id, quoted.next().unwrap_or_default().trim().to_owned()))
        });
        Ignored(pairs.collect())
    }

    pub(super) fn without_reason(&self) -> Vec<String> {
        let silent = self.0.iter().filter(|(_, reason)| reason.is_empty());
        silent
            .map(|(id, _)| format!("deny.toml ignores {id} without a reason"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot() -> Snapshot {
        let advisory = |id: &str, package: &str, patched: &[&str]| {
            json!({"id": id, "package": package, "title": "It breaks", "url": "https://example.org", "informational": null,
                   "withdrawn": null, "patched": patched, "unaffected": []})
        };
        let mut unmaintained = advisory("R-3", "old", &[]);
        unmaintained["informational"] = json!("unmaintained");
        let mut withdrawn = advisory("R-4", "calm", &[]);
        withdrawn["withdrawn"] = json!("2026-01-02");
        let mut young = advisory("R-2", "a", &["^1.2.9", ">= 1.4.0"]);
        young["unaffected"] = json!(["< 1.2.0"]);
        let advisories = [
            advisory("R-1", "a", &[">= 1.0.3, < 2.0.0", ">= 2.0.1"]),
            young,
            unmaintained,
            withdrawn,
        ];
        let asked = ["a", "b", "calm", "old"];
        Snapshot::parse(&json!({"asked": asked, "advisories": advisories}).to_string())
    }

    fn ignored(lines: &str) -> Ignored {
        Ignored::parse(&format!(
            "[advisories]\nyanked = \"deny\"\nignore = [\n{lines}\n]\n\n[bans]\ndeny = [\n    {{ crate = \"x\" }},\n]\n"
        ))
    }

    #[track_caller]
    fn check(package: &str, version: &str, expected: &[&str]) {
        let hits = snapshot().hits(&[(package, version)], &ignored(""));
        let ids: Vec<&str> = hits
            .iter()
            .filter_map(|hit| hit.split(':').next())
            .collect();
        assert_eq!(ids, expected, "{package} {version}");
    }

    #[test]
    fn a_version_is_affected_until_it_is_patched_and_from_where_it_was_broken() {
        check("a", "1.0.2", &["R-1"]);
        check("a", "1.0.3", &[]);
        check("a", "1.1.0", &[]);
        check("a", "1.2.0", &["R-2"]);
        check("a", "1.2.9", &[]);
        check("a", "2.0.0", &["R-1"]);
        check("a", "2.0.1", &[]);
        check("b", "1.0.2", &[]);
    }

    #[test]
    fn what_nobody_maintains_is_named_and_what_is_withdrawn_is_not() {
        check("old", "7.0.0", &["R-3"]);
        check("calm", "7.0.0", &[]);
    }

    #[test]
    fn all_locked_versions_are_looked_at() {
        let hits = snapshot().hits(&[("a", "2.0.1"), ("a", "1.0.2")], &ignored(""));
        let complaint = "R-1: a 1.0.2 is vulnerable, mended in >=1.0.3, <2.0.0 or >=2.0.1: It breaks (https://example.org)";
        assert_eq!(hits, [complaint]);
        let hits = snapshot().hits(&[("old", "7.0.0")], &ignored(""));
        let complaint =
            "R-3: old 7.0.0 is unmaintained, no version mends it: It breaks (https://example.org)";
        assert_eq!(hits, [complaint]);
    }

    #[test]
    fn what_is_ignored_is_silent_and_is_named_once_it_is_needless() {
        let locked = [("a", "1.0.2"), ("calm", "7.0.0")];
        let ignored = ignored(
            "    # why\n    { id = \"R-1\", reason = \"only in tests\" },\n    { id = \"R-4\", reason = \"seen\" },",
        );
        assert_eq!(snapshot().hits(&locked, &ignored), [] as [String; 0]);
        let idle = ["deny.toml ignores R-4, which no locked version has any more"];
        assert_eq!(snapshot().idle(&locked, &ignored), idle);
        assert_eq!(ignored.without_reason(), [] as [String; 0]);
    }

    #[test]
    fn an_ignore_needs_a_reason() {
        let ignored =
            ignored("    \"R-1\",\n    { id = \"R-2\" },\n    { id = \"R-3\", reason = \" \" },");
        let silent = ["R-1", "R-2", "R-3"];
        let silent = silent.map(|id| format!("deny.toml ignores {id} without a reason"));
        assert_eq!(ignored.without_reason(), silent);
    }

    #[test]
    fn a_name_that_was_not_asked_about_is_named_once() {
        let locked = [("a", "1.0.3"), ("new", "0.1.0"), ("new", "0.2.0")];
        let complaints = snapshot().not_asked(&locked);
        assert_eq!(
            complaints,
            ["the snapshot knows no new: run deny/advisories.py"]
        );
    }
}
