//! Who is told of an alert: a tree of routes. An alert walks down from the root; at each route it takes the first child that
//! it fits, and the others after it only where that child says `continue`. The route at which it comes to rest tells its channels.

mod event;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use finding::Label;

use crate::glob::Glob;
use crate::life::{Alert, Group};
use crate::notice::AccountNotes;
use crate::pattern::Pattern;

pub use event::event;

/// All routes of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Routes {
    root: Route,
}

/// A route and what hangs below it.
#[derive(Debug, Clone, PartialEq)]
struct Route {
    matcher: Matcher,
    pattern: Option<Pattern>,
    goes_on: bool,
    stop: Stop,
    children: Vec<Route>,
}

/// Where an alert comes to rest, and how it is told there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The names of the routes that lead here, from the root: `default/production`.
    pub path: String,
    /// Names of channels.
    pub channels: Vec<String>,
    /// What puts alerts into one message: columns of their groups, or `rule`, `severity`, `account`, `region`. Empty for all
    /// alerts of the route together.
    pub group_by: Vec<String>,
    /// How long the first alert of a group waits for others, in microseconds.
    pub group_wait: i64,
    /// How long after a message the next one of the same group goes out, in microseconds.
    pub group_interval: i64,
    /// After how long an alert that nobody has taken is told again, in microseconds; `None` for never.
    pub repeat_interval: Option<i64>,
    /// Names of the times in which nothing is sent; what came meanwhile is sent at their end.
    pub mute_times: Vec<String>,
}

/// What an alert must be like. All that is given must hold; of a list, one is enough. Lists of an alert (accounts, Regions,
/// types) fit where any of their elements does.
#[derive(Debug, Clone, Default, PartialEq)]
struct Matcher {
    severity: Option<BTreeSet<Label>>,
    rule: Vec<Glob>,
    tag: Vec<Glob>,
    account: Vec<Glob>,
    ou: Vec<Glob>,
    owner: Vec<Glob>,
    region: Vec<Glob>,
    finding_type: Vec<Glob>,
}

/// What routes look at.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Tags of its rule.
    pub tags: &'a [String],
    /// What is known of its accounts.
    pub accounts: &'a [AccountNotes],
}

/// What is wrong with a file of routes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{route}: {message}")]
pub struct RouteError {
    /// The path of the route.
    pub route: String,
    /// A clause.
    pub message: String,
}

impl Routes {
    /// Reads the route at the root of a tree, as YAML or JSON have it. `channels` and `mute_times` are the names that there are.
    pub fn from_value(
        value: &serde_json::Value,
        channels: &[&str],
        mute_times: &[&str],
    ) -> Result<Routes, Vec<RouteError>> {
        file::read(value, channels, mute_times).map(|root| Routes { root })
    }

    /// Where an alert is told; never empty.
    pub fn of(&self, routed: &Routed<'_>) -> Vec<&Stop> {
        let mut stops = Vec::new();
        let event = event(routed);
        self.root.walk(routed, &event, &mut stops);
        stops
    }

    /// Every place where an alert can come to rest.
    pub fn stops(&self) -> Vec<&Stop> {
        let mut stops = Vec::new();
        let mut waiting = vec![&self.root];
        while let Some(route) = waiting.pop() {
            stops.push(&route.stop);
            waiting.extend(route.children.iter().rev());
        }
        stops
    }
}

impl Route {
    fn walk<'a>(
        &'a self,
        routed: &Routed<'_>,
        event: &serde_json::Value,
        stops: &mut Vec<&'a Stop>,
    ) {
        let before = stops.len();
        for child in &self.children {
            let fits = child.matcher.fits(routed)
                && (child.pattern.as_ref()).is_none_or(|pattern| pattern.matches(event));
            if fits {
                child.walk(routed, event, stops);
                if !child.goes_on {
                    break;
                }
            }
        }
        if stops.len() == before {
            stops.push(&self.stop);
        }
    }
}

impl Matcher {
    fn fits(&self, routed: &Routed<'_>) -> bool {
        let alert = routed.alert;
        let notes = routed.accounts;
        let names = notes.iter().filter_map(|account| account.name.as_deref());
        let accounts = alert.accounts.iter().map(String::as_str);
        (self.severity.as_ref()).is_none_or(|labels| labels.contains(&alert.severity))
            && any(&self.rule, std::iter::once(alert.rule.as_str()))
            && any(&self.tag, routed.tags.iter().map(String::as_str))
            && any(&self.account, accounts.chain(names))
            && any(&self.ou, notes.iter().filter_map(|n| n.ou.as_deref()))
            && any(&self.owner, notes.iter().filter_map(|n| n.owner.as_deref()))
            && any(&self.region, alert.regions.iter().map(String::as_str))
            && any(&self.finding_type, alert.types.iter().map(String::as_str))
    }
}

/// Whether one of the words fits one of the patterns, or there are no patterns.
fn any<'a>(globs: &[Glob], mut words: impl Iterator<Item = &'a str>) -> bool {
    globs.is_empty() || words.any(|word| globs.iter().any(|glob| glob.fits(word)))
}

impl Stop {
    /// The values by which an alert is put into a message with others.
    pub fn group_of(&self, alert: &Alert) -> Group {
        let value = |name: &String| {
            let all = |words: &[String]| (!words.is_empty()).then(|| words.join(", "));
            let value = match name.as_str() {
                "rule" => Some(alert.rule.clone()),
                "severity" => Some(alert.severity.as_str().to_lowercase()),
                "account" => all(&alert.accounts),
                "region" => all(&alert.regions),
                column => {
                    let found = alert.group.iter().find(|(known, _)| known == column);
                    found.and_then(|(_, value)| value.clone())
                }
            };
            (name.clone(), value)
        };
        self.group_by.iter().map(value).collect()
    }
}
