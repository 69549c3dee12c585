//! The types of finding that GuardDuty makes today, and what belongs to each.

use crate::rng::Rng;
use crate::wording::{Wording, wordings};

/// The active finding types with severity, action, resources, weight and hint, one a line (from AWS's finding type
/// table; weights are a guess of what accounts on the internet see).
const TYPES: &str = include_str!("catalogue.txt");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
    Critical,
    Varies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    None,
    Network,
    PortProbe,
    Dns,
    AwsApi,
    Kubernetes,
    Rds,
}

/// One type of finding.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// `Purpose` of `Purpose:Resource/Family`.
    pub(crate) purpose: &'static str,
    pub(crate) level: Level,
    pub(crate) action: Action,
    pub(crate) resources: Vec<&'static str>,
    pub(crate) hint: &'static str,
    pub(crate) runtime: bool,
    pub(crate) wording: Wording,
    weight: u64,
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) kinds: Vec<Kind>,
    /// Low and Medium types, and those that vary, with running sums of weights.
    quiet: Vec<(u64, u16)>,
    /// High and Critical types, and those that vary.
    severe: Vec<(u64, u16)>,
    critical: Vec<u16>,
    /// Low and Medium types whose action has one remote address.
    remote: Vec<u16>,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        let wordings = wordings();
        let kinds: Vec<Kind> = lines().map(|line| Kind::parse(line, &wordings)).collect();
        let running = |keep: &dyn Fn(Level) -> bool| {
            let mut sum = 0;
            let kept = kinds
                .iter()
                .enumerate()
                .filter(|(_, kind)| keep(kind.level));
            kept.map(|(index, kind)| {
                sum += kind.weight;
                (sum, index as u16)
            })
            .collect()
        };
        let indexes = |keep: &dyn Fn(&Kind) -> bool| {
            let kept = kinds.iter().enumerate().filter(|(_, kind)| keep(kind));
            kept.map(|(index, _)| index as u16).collect()
        };
        Catalogue {
            quiet: running(&|level| !matches!(level, Level::High | Level::Critical)),
            severe: running(&|level| !matches!(level, Level::Low | Level::Medium)),
            critical: indexes(&|kind| kind.level == Level::Critical),
            remote: indexes(&|kind| {
                matches!(kind.level, Level::Low | Level::Medium)
                    && (matches!(kind.action, Action::AwsApi | Action::PortProbe)
                        || kind.hint.starts_with("in ")
                        || kind.action == Action::Rds)
            }),
            kinds,
        }
    }

    pub(crate) fn quiet(&self, rng: &mut Rng) -> u16 {
        draw(&self.quiet, rng)
    }

    pub(crate) fn severe(&self, rng: &mut Rng) -> u16 {
        draw(&self.severe, rng)
    }

    pub(crate) fn critical(&self, rng: &mut Rng) -> u16 {
        rng.pick(&self.critical)
    }

    pub(crate) fn remote(&self, rng: &mut Rng) -> u16 {
        rng.pick(&self.remote)
    }
}

fn draw(sums: &[(u64, u16)], rng: &mut Rng) -> u16 {
    let total = sums.last().map_or(0, |(sum, _)| *sum);
    let at = rng.below(total);
    sums[sums.partition_point(|(sum, _)| *sum <= at)].1
}

fn lines() -> impl Iterator<Item = &'static str> {
    TYPES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The names of the active finding types, in the order of the catalogue.
pub fn active_types() -> impl Iterator<Item = &'static str> {
    lines().filter_map(|line| line.split('|').next())
}

impl Kind {
    fn parse(line: &'static str, wordings: &[(&'static str, Wording)]) -> Kind {
        let mut parts = line.split('|');
        let mut part = || parts.next().unwrap_or_default();
        let name = part();
        let (purpose, rest) = name.split_once(':').unwrap_or((name, ""));
        Kind {
            name,
            purpose,
            level: match part() {
                "L" => Level::Low,
                "M" => Level::Medium,
                "H" => Level::High,
                "C" => Level::Critical,
                _ => Level::Varies,
            },
            action: match part() {
                "NETWORK_CONNECTION" => Action::Network,
                "PORT_PROBE" => Action::PortProbe,
                "DNS_REQUEST" => Action::Dns,
                "AWS_API_CALL" => Action::AwsApi,
                "KUBERNETES_API_CALL" => Action::Kubernetes,
                "RDS_LOGIN_ATTEMPT" => Action::Rds,
                _ => Action::None,
            },
            resources: part().split(',').collect(),
            weight: part().parse().unwrap_or(1),
            hint: part(),
            runtime: rest.starts_with("Runtime/"),
            wording: wordings
                .iter()
                .find(|(pattern, _)| matches(pattern, name))
                .map(|(_, wording)| wording.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether the type names a mechanism or family, as in `TorIPCaller`.
    pub(crate) fn is(&self, part: &str) -> bool {
        self.name.contains(part)
    }
}

/// Pattern with `*` for any text, over the whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_wording_and_a_resource() {
        let catalogue = Catalogue::new();
        assert_eq!(catalogue.kinds.len(), 204);
        for kind in &catalogue.kinds {
            assert!(!kind.wording.is_empty(), "{} has no wording", kind.name);
            assert!(
                kind.resources.iter().all(|r| !r.is_empty()),
                "{}",
                kind.name
            );
        }
    }
}
