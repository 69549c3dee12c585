//! Rules about what others wrote: versions, features, sources and licences.

use std::collections::{BTreeMap, BTreeSet};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// `Cargo.lock`: each package's name, version and source.
pub(super) struct Lock {
    packages: Vec<BTreeMap<String, String>>,
}

impl Lock {
    pub(super) fn parse(text: &str) -> Lock {
        let package = |block: &str| {
            let pairs = block.lines().filter_map(|line| line.split_once(" = "));
            pairs
                .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
                .collect()
        };
        Lock {
            packages: text.split("[[package]]").skip(1).map(package).collect(),
        }
    }

    /// Packages of which there must be one version and is another number of them.
    pub(super) fn doubled(&self, names: &[&str]) -> Vec<String> {
        let versions = |name: &str| -> Vec<&str> {
            let named = self.packages.iter().filter(|p| p["name"] == name);
            named.map(|package| package["version"].as_str()).collect()
        };
        names
            .iter()
            .map(|name| (name, versions(name)))
            .filter(|(_, versions)| versions.len() != 1)
            .map(|(name, versions)| format!("one version of {name}, not {versions:?}"))
            .collect()
    }

    /// Names and versions of packages that others wrote: ours have no source.
    pub(super) fn others(&self) -> Vec<(&str, &str)> {
        let others = self.packages.iter().filter(|p| p.contains_key("source"));
        others
            .map(|package| (package["name"].as_str(), package["version"].as_str()))
            .collect()
    }

    /// Packages that come neither from this repository nor from crates.io.
    pub(super) fn foreign(&self) -> Vec<String> {
        let sources = self.packages.iter().filter_map(|package| {
            let source = package
                .get("source")
                .filter(|source| *source != CRATES_IO)?;
            Some(format!("{} comes from {source}", package["name"]))
        });
        sources.collect()
    }
}

/// A feature that must stay off, in all versions of a package.
pub(super) fn switched_on(
    features: &[(String, Vec<String>)],
    package: &str,
    feature: &str,
) -> Vec<String> {
    let on = features
        .iter()
        .filter(|(name, features)| name == package && features.iter().any(|f| f == feature));
    on.map(|(name, _)| format!("{name} has its feature {feature} switched on"))
        .collect()
}

/// The licences that `deny.toml` allows: for all packages, and for single ones.
#[derive(Default)]
pub(super) struct Deny {
    allow: BTreeSet<String>,
    exceptions: BTreeSet<(String, String)>,
}

impl Deny {
    /// Reads the two lists of `[licenses]`: `allow`, one licence a line, and `exceptions`, one package a line, its
    /// licences after its name.
    pub(super) fn parse(text: &str) -> Deny {
        let mut deny = Deny::default();
        let mut list = None;
        for line in text.lines().map(str::trim) {
            let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            match (line, list) {
                ("allow = [", _) => list = Some("allow"),
                ("exceptions = [", _) => list = Some("exceptions"),
                ("]", _) => list = None,
                (_, Some("allow")) => deny.allow.extend(quoted.iter().map(ToString::to_string)),
                (_, Some(_)) if !quoted.is_empty() => {
                    let licences = quoted[1..].iter();
                    let pairs = licences.map(|l| (quoted[0].to_owned(), (*l).to_owned()));
                    deny.exceptions.extend(pairs);
                }
                _ => {}
            }
        }
        deny
    }

    /// Packages, with their licence expressions, that cannot be used under an allowed licence.
    pub(super) fn refused(&self, packages: &[(String, String)]) -> Vec<String> {
        let allowed = |package: &str, licence: &str| {
            self.allow.contains(licence)
                || self
                    .exceptions
                    .contains(&(package.to_owned(), licence.to_owned()))
        };
        packages
            .iter()
            .filter(|(name, expression)| !satisfied(expression, &|licence| allowed(name, licence)))
            .map(|(name, expression)| format!("{name} is under `{expression}`, see deny.toml"))
            .collect()
    }
}

/// Whether an SPDX expression can be met with the licences that `allowed` accepts. A slash is the old way to write OR.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    match words.next() {
        Some("(") => {
            let met = any(words, allowed);
            words.next() == Some(")") && met
        }
        Some(licence) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            allowed(&format!("{licence} WITH {exception}"))
        }
        Some(licence) => allowed(licence),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_and_a_foreign_source_are_named() {
        let lock = Lock::parse(&format!(
            "version = 4\n\n[[package]]\nname = \"arrow\"\nversion = \"59.0.0\"\nsource = \"{CRATES_IO}\"\n\n\
             [[package]]\nname = \"arrow\"\nversion = \"60.0.0\"\nsource = \"git+https://example.org/arrow\"\n\n\
             [[package]]\nname = \"parquet\"\nversion = \"59.0.0\"\ndependencies = [\n \"arrow\",\n]\n"
        ));
        let doubled = ["one version of arrow, not [\"59.0.0\", \"60.0.0\"]"];
        assert_eq!(lock.doubled(&["arrow", "parquet"]), doubled);
        assert_eq!(
            lock.doubled(&["datafusion"]),
            ["one version of datafusion, not []"]
        );
        assert_eq!(
            lock.foreign(),
            ["arrow comes from git+https://example.org/arrow"]
        );
        assert_eq!(lock.others(), [("arrow", "59.0.0"), ("arrow", "60.0.0")]);
    }

    #[test]
    fn a_feature_that_is_on_is_named() {
        let features = [
            (
                "serde_json".to_owned(),
                vec!["std".to_owned(), "arbitrary_precision".to_owned()],
            ),
            ("other".to_owned(), vec!["arbitrary_precision".to_owned()]),
        ];
        let complaints = switched_on(&features, "serde_json", "arbitrary_precision");
        assert_eq!(
            complaints,
            ["serde_json has its feature arbitrary_precision switched on"]
        );
    }

    #[test]
    fn expressions_are_read_as_spdx_says() {
        let met = |expression| {
            satisfied(expression, &|l| {
                ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&l)
            })
        };
        for good in [
            "MIT",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(met(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0",
            "(MIT",
            "MIT MIT",
            "GPL-3.0 OR MIT AND GPL-3.0",
        ] {
            assert!(!met(bad), "{bad}");
        }
    }

    #[test]
    fn an_exception_is_for_one_package_alone() {
        let deny = Deny::parse(
            "[licenses]\nallow = [\n    \"MIT\",\n]\nexceptions = [\n    { crate = \"a\", allow = [\"MPL-2.0\"] },\n]\n",
        );
        let packages = [("a", "MPL-2.0"), ("b", "MPL-2.0"), ("c", "MIT"), ("d", "")];
        let packages = packages.map(|(name, licence)| (name.to_owned(), licence.to_owned()));
        let refused = [
            "b is under `MPL-2.0`, see deny.toml",
            "d is under ``, see deny.toml",
        ];
        assert_eq!(deny.refused(&packages), refused);
    }
}
