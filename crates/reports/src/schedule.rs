//! When a report is made: the times of a cron line in a time zone, and what an outage left to do.
//!
//! A time of the line is a time on the wall. One that the clock skips (spring) is due at the moment of the jump; one that
//! the clock shows twice (autumn) is due the first time only. A fire makes the period that ended last before it.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use crate::period::{Period, Unit, Zone};

/// Periods that one look at [`due`] returns at most; the next look goes on behind them.
pub const MOST_DUE: usize = 1_000;
/// January of year 2, in UTC microseconds: nobody watched earlier.
const EARLIEST: i64 = -62_104_060_800_000_000;

/// What is made of fires that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// Nothing.
    None,
    /// Only the newest period.
    #[default]
    Latest,
    /// Every period, the oldest first.
    All,
}

impl CatchUp {
    pub(crate) const WORDS: [&'static str; 3] = ["none", "latest", "all"];

    pub(crate) fn from_word(word: &str) -> Option<CatchUp> {
        let all = [CatchUp::None, CatchUp::Latest, CatchUp::All];
        let at = CatchUp::WORDS.iter().position(|known| *known == word)?;
        Some(all[at])
    }
}

/// A cron line of five fields, and where its clock hangs.
#[derive(Debug, Clone)]
pub struct Schedule {
    line: String,
    cron: Cron,
    zone: Zone,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        self.line == other.line && self.zone == other.zone
    }
}

impl Schedule {
    /// Minute, hour, day of the month, month, weekday; or `@daily`, `@weekly`, `@monthly`. The error is a sentence.
    pub fn parse(line: &str, zone: &Zone) -> Result<Schedule, String> {
        let shown = alerts::clean(line, 60);
        if line.len() > 200 {
            return Err(format!("`{shown}` is no cron line: too long"));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(line).map_err(|error| {
            let why = error.to_string();
            let why = alerts::clean(why.trim_end_matches('.'), 160).into_owned();
            format!("`{shown}` is no cron line: {why}; `0 7 * * 1` is Mondays at seven")
        })?;
        let schedule = Schedule {
            line: line.trim().to_owned(),
            cron,
            zone: zone.clone(),
        };
        // 2024 to 2032 hold every kind of year.
        match schedule.next_after(1_704_067_200_000_000) {
            Some(_) => Ok(schedule),
            None => Err(format!("`{shown}` never comes")),
        }
    }

    /// The line as written.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// In words: `At 07:00, only on Monday`.
    pub fn describe(&self) -> String {
        let words = self.cron.describe();
        format!("{} ({})", words.trim_end_matches('.'), self.zone.name())
    }

    /// The first fire after a moment, both in UTC microseconds.
    pub fn next_after(&self, micros: i64) -> Option<i64> {
        let now = Timestamp::from_microsecond(micros).ok()?;
        let mut wall: DateTime = self.zone.rules().to_datetime(now);
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let fire = self.moment(wall)?;
            // After an hour that comes twice, times of its second showing lie before now.
            if fire > micros {
                return Some(fire);
            }
        }
    }

    /// The moment of a time on the wall. Later times on the wall are never earlier moments.
    fn moment(&self, wall: DateTime) -> Option<i64> {
        let rules = self.zone.rules();
        let found = rules.to_ambiguous_timestamp(wall);
        let time = match found.offset() {
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_jump = after.to_timestamp(wall).ok()?;
                rules.following(before_the_jump).next()?.timestamp()
            }
            _ => found.compatible().ok()?,
        };
        Some(time.as_microsecond())
    }
}

/// The periods to make now, the oldest first, none twice.
///
/// `last_made` is the newest period that was made; make them in order, so that everything after it is still owed. It counts
/// by its end, so a report may change its unit or zone. `now` and `since` are UTC microseconds. `since` is when somebody
/// began to watch the clock: a report that was never made owes nothing older, and [`CatchUp::None`] looks no further
/// back. A clock that runs backwards makes nothing due.
pub fn due(
    schedule: &Schedule,
    unit: Unit,
    catch_up: CatchUp,
    last_made: Option<&Period>,
    now: i64,
    since: i64,
) -> Vec<Period> {
    let zone = &schedule.zone;
    let mut after = match last_made {
        Some(made) if catch_up != CatchUp::None => made.to(),
        _ => since.max(EARLIEST),
    };
    let mut found = Vec::new();
    while let Some(fire) = schedule.next_after(after).filter(|fire| *fire <= now) {
        let Some(period) = Period::before(unit, zone, fire) else {
            break;
        };
        let Some(next) = period.next() else {
            break;
        };
        // All fires before the next period is over make this one.
        after = next.to() - 1;
        if last_made.is_some_and(|made| period.to() <= made.to()) {
            continue;
        }
        if catch_up != CatchUp::All {
            found.clear();
        }
        found.push(period);
        if found.len() == MOST_DUE {
            break;
        }
    }
    found
}
