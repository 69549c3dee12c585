//! How much time has to be looked at again when rows have come.

use crate::Rule;
use crate::life::Alert;

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
    pub fn of<'a>(
        rule: &Rule,
        (first, last): (i64, i64),
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) -> Extent {
        let zone = Extent {
            from: first,
            through: last.saturating_add(rule.terms().back()),
        };
        let joins = rule.suppress_for.micros();
        let near = |alert: &&Alert| {
            alert.state.is_live()
                && alert.last_match >= zone.from.saturating_sub(joins)
                && alert.first_match <= zone.through.saturating_add(joins)
        };
        alerts.into_iter().filter(near).fold(zone, |extent, alert| {
            extent.and(Extent {
                from: alert.first_match,
                through: alert.last_match,
            })
        })
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
