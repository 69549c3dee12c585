//! The stretch of calendar that a report is about: a day, a week from Monday, a month or a quarter, in a time zone.

use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// A month of the calendar.
    Month,
    /// Three months, from January, April, July or October.
    Quarter,
}

impl Unit {
    pub(crate) const WORDS: [&'static str; 4] = ["day", "week", "month", "quarter"];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        Unit::WORDS[self as usize]
    }

    pub(crate) fn from_word(word: &str) -> Option<Unit> {
        let all = [Unit::Day, Unit::Week, Unit::Month, Unit::Quarter];
        all.into_iter().find(|unit| unit.as_str() == word)
    }

    /// The first day of the period that a date lies in.
    fn first(self, date: Date) -> Option<Date> {
        match self {
            Unit::Day => Some(date),
            Unit::Week => {
                let back = i64::from(date.weekday().since(Weekday::Monday));
                date.checked_sub(back.days()).ok()
            }
            Unit::Month => Some(date.first_of_month()),
            Unit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok(),
        }
    }

    /// The first day so many periods later.
    fn shift(self, first: Date, by: i64) -> Option<Date> {
        let span = match self {
            Unit::Day => by.days(),
            Unit::Week => (by * 7).days(),
            Unit::Month => by.months(),
            Unit::Quarter => (by * 3).months(),
        };
        first.checked_add(span).ok()
    }
}

/// A time zone of the IANA database that is built in; the machine's own plays no part.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Zone {
    /// `UTC`, `Europe/Berlin`; the error is a sentence.
    pub fn named(name: &str) -> Result<Zone, String> {
        let database = TimeZoneDatabase::bundled();
        match database.get(name) {
            Ok(rules) => Ok(Zone {
                name: rules.iana_name().unwrap_or(name).to_owned(),
                rules,
            }),
            Err(_) => Err(format!(
                "there is no time zone `{}`; write it like Europe/Berlin",
                alerts::clean(name, 60)
            )),
        }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// The day that a moment lies in.
    fn date(&self, micros: i64) -> Option<Date> {
        let time = Timestamp::from_microsecond(micros).ok()?;
        Some(self.rules.to_datetime(time).date())
    }

    /// When a day begins: its first moment, even where the clock skips midnight.
    fn begin(&self, date: Date) -> Option<i64> {
        let zoned = self.rules.to_zoned(date.at(0, 0, 0, 0)).ok()?;
        Some(zoned.timestamp().as_microsecond())
    }
}

/// One period. Years 1 to 9998.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    unit: Unit,
    zone: Zone,
    first: Date,
    /// UTC microseconds, `from` included and `to` not.
    from: i64,
    to: i64,
}

impl Period {
    /// The period that a moment (UTC microseconds) lies in; none beyond year 9998.
    pub fn containing(unit: Unit, zone: &Zone, micros: i64) -> Option<Period> {
        Period::beginning(unit, zone, unit.first(zone.date(micros)?)?)
    }

    /// The last period that is over at a moment.
    pub fn before(unit: Unit, zone: &Zone, micros: i64) -> Option<Period> {
        Period::containing(unit, zone, micros)?.previous()
    }

    /// The period that a date as written (`2026-11-16`) lies in, or that has this [`Period::name`]. The error is a sentence.
    pub fn named(unit: Unit, zone: &Zone, text: &str) -> Result<Period, String> {
        let wrong = || {
            let text = alerts::clean(text, 40);
            format!("`{text}` is no period; write a day of it, like 2026-11-16")
        };
        let date = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == 10);
        let date = date(text).or_else(|| first_of_name(unit, text));
        let first = date.and_then(|date| unit.first(date)).ok_or_else(wrong)?;
        Period::beginning(unit, zone, first).ok_or_else(wrong)
    }

    fn beginning(unit: Unit, zone: &Zone, first: Date) -> Option<Period> {
        let from = zone.begin(first)?;
        let to = zone.begin(unit.shift(first, 1)?)?;
        (1..9999).contains(&first.year()).then(|| Period {
            unit,
            zone: zone.clone(),
            first,
            from,
            to,
        })
    }

    /// The one before.
    pub fn previous(&self) -> Option<Period> {
        Period::beginning(self.unit, &self.zone, self.unit.shift(self.first, -1)?)
    }

    /// The one after.
    pub fn next(&self) -> Option<Period> {
        Period::beginning(self.unit, &self.zone, self.unit.shift(self.first, 1)?)
    }

    /// Its first moment, in UTC microseconds.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// The first moment after it, in UTC microseconds.
    pub fn to(&self) -> i64 {
        self.to
    }

    /// How long it is.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Whose days it counts.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Short, in order as text, fit for a file: `2026-11-16`, `2026-W47`, `2026-11`, `2026-Q4`.
    pub fn name(&self) -> String {
        let (year, month) = (self.first.year(), self.first.month());
        match self.unit {
            Unit::Day => self.first.to_string(),
            Unit::Week => {
                let week = self.first.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Unit::Month => format!("{year:04}-{month:02}"),
            Unit::Quarter => format!("{year:04}-Q{}", (month - 1) / 3 + 1),
        }
    }

    /// In words: `Monday, 16 November 2026`, `16 to 22 November 2026 (week 47)`, `November 2026`, `October to December 2026`.
    pub fn words(&self) -> String {
        let last = self.unit.shift(self.first, 1);
        let last = last.and_then(|d| d.yesterday().ok()).unwrap_or(self.first);
        let say = |date: Date, format: &str| date.strftime(format).to_string();
        match self.unit {
            Unit::Day => say(self.first, "%A, %-d %B %Y"),
            Unit::Week => {
                let begin = match (self.first.year(), self.first.month()) {
                    (year, _) if year != last.year() => "%-d %B %Y",
                    (_, month) if month != last.month() => "%-d %B",
                    _ => "%-d",
                };
                let week = self.first.iso_week_date().week();
                let end = say(last, "%-d %B %Y");
                format!("{} to {end} (week {week})", say(self.first, begin))
            }
            Unit::Month => say(self.first, "%B %Y"),
            Unit::Quarter => format!("{} to {}", say(self.first, "%B"), say(last, "%B %Y")),
        }
    }

    /// The days of it, each as UTC microseconds of its date at midnight UTC, as a `day` column has them.
    pub(crate) fn days(&self) -> Vec<i64> {
        let end = self.unit.shift(self.first, 1).unwrap_or(self.first);
        let mut days = Vec::new();
        let mut day = self.first;
        while day < end {
            let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
            days.extend(midnight.map(Timestamp::as_microsecond));
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        days
    }
}

/// The first day of what [`Period::name`] names.
fn first_of_name(unit: Unit, text: &str) -> Option<Date> {
    let (year, rest) = text.split_at_checked(4)?;
    let year: i16 = year.parse().ok().filter(|year| *year > 0)?;
    let digits = |text: &str, len: usize| -> Option<i8> {
        let fits = text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse().ok())?
    };
    match unit {
        Unit::Day => None,
        Unit::Week => {
            let week = digits(rest.strip_prefix("-W")?, 2)?;
            let monday = jiff::civil::ISOWeekDate::new(year, week, Weekday::Monday).ok()?;
            Some(monday.date())
        }
        Unit::Month => Date::new(year, digits(rest.strip_prefix('-')?, 2)?, 1).ok(),
        Unit::Quarter => {
            let quarter = digits(rest.strip_prefix("-Q")?, 1)?;
            let month = quarter.checked_sub(1)?.checked_mul(3)?.checked_add(1)?;
            Date::new(year, month, 1).ok()
        }
    }
}
