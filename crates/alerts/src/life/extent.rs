//! How much time has to be looked at again when rows have come.

use crate::life::Alert;
use crate::{Kind, Rule};

/// From which match to which a group is looked at, in UTC microseconds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first match there can be.
    pub from: i64,
    /// The last match there can be.
    pub through: i64,
}

impl Extent {
    /// All time.
    pub const ALL: Extent = Extent {
        from: i64::MIN,
        through: i64::MAX,
    };

    /// How far a group has to be looked at, given the times of its first and last new row and all its alerts.
    ///
    /// Rows from `first` to `last` can make and unmake matches from `first` until `last` and the reach of the rule. Whatever joins
    /// those matches to others is an alert already, because the log was in line before the rows came; so the extent is all of
    /// that time, and all of the alerts within `suppress_for` of it.
    ///
    /// A silence also ends by the next row, however much later that comes: then the extent begins with the last silence before it and has no end.
    pub fn of<'a>(
        rule: &Rule,
        (first, last): (i64, i64),
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) -> Extent {
        let is_silence = matches!(rule.kind, Kind::Absence { .. });
        let zone = Extent {
            from: first,
            through: match is_silence {
                true => i64::MAX,
                false => last.saturating_add(rule.terms().back()),
            },
        };
        let alerts: Vec<&Alert> = alerts
            .into_iter()
            .filter(|alert| alert.state.is_live())
            .collect();
        let before = alerts.iter().map(|alert| alert.first_match);
        let before = before
            .filter(|first| is_silence && *first <= zone.from)
            .max();
        let joins = rule.suppress_for.micros();
        let near = |alert: &&Alert| {
            let is_last_before = before.is_some_and(|first| alert.first_match == first);
            let is_joined = alert.last_match >= zone.from.saturating_sub(joins)
                && alert.first_match <= zone.through.saturating_add(joins);
            is_last_before || is_joined
        };
        alerts.into_iter().filter(near).fold(zone, |extent, alert| {
            extent.and(Extent {
                from: alert.first_match,
                through: alert.last_match,
            })
        })
    }

    /// The times of the rows of which time alone may have made something else between two moments (all UTC microseconds), as ranges
    /// `(after, through]`, for a rule that looks for silence: those that have become a window old since, and those that were of the future.
    pub fn aged(rule: &Rule, before: i64, as_of: i64) -> [(i64, i64); 2] {
        let window = rule.window.micros();
        let old = |micros: i64| micros.saturating_sub(window);
        [(old(before), old(as_of)), (before, as_of)]
    }

    /// Whether a row matters to the matches in the extent, where rows matter for `back` microseconds
    /// ([`Terms::back`](crate::Terms::back)).
    pub fn reads(&self, time: i64, back: i64) -> bool {
        time > self.from.saturating_sub(back) && time <= self.through
    }

    /// The least extent that holds both.
    pub fn and(self, other: Extent) -> Extent {
        Extent {
            from: self.from.min(other.from),
            through: self.through.max(other.through),
        }
    }
}
