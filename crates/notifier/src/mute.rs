//! Times in which nothing is sent: by day of the week and time of day, in a time zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde_json::Value;

/// Named times. What comes within is sent at their end.
#[derive(Debug, Clone, Default)]
pub(crate) struct MuteTimes(BTreeMap<String, Vec<Span>>);

/// A part of some days. One that begins later than it ends goes over midnight, and belongs to the day on which it begins.
#[derive(Debug, Clone)]
struct Span {
    days: Vec<Weekday>,
    from: Time,
    to: Option<Time>,
    zone: TimeZone,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl MuteTimes {
    /// Reads `name: {days: [sat, sun], from: "22:00", to: "06:00", time_zone: Europe/Berlin}`, or a list of such. The error is a clause.
    pub(crate) fn read(value: &Value) -> Result<MuteTimes, String> {
        let Value::Object(named) = value else {
            return Err("must be lines of `name: {days: [...], from: ..., to: ...}`".to_owned());
        };
        let mut times = BTreeMap::new();
        for (name, spans) in named {
            let spans = match spans {
                Value::Array(spans) => spans.iter().map(span).collect(),
                one => span(one).map(|span| vec![span]),
            };
            let spans = spans.map_err(|why| format!("{name}: {why}"))?;
            times.insert(name.clone(), spans);
        }
        Ok(MuteTimes(times))
    }

    /// The names that there are.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Whether a time of that name is at `now` (UTC microseconds).
    pub(crate) fn is_now(&self, name: &str, now: i64) -> bool {
        let spans = self.0.get(name).into_iter().flatten();
        spans.into_iter().any(|span| span.holds(now))
    }
}

impl Span {
    fn holds(&self, now: i64) -> bool {
        let Ok(now) = Timestamp::from_microsecond(now) else {
            return false;
        };
        let now = now.to_zoned(self.zone.clone());
        let (day, time) = (now.weekday(), now.time());
        let on = |day: Weekday| self.days.contains(&day);
        match self.to {
            Some(to) if to <= self.from => {
                (on(day) && time >= self.from) || (on(day.previous()) && time < to)
            }
            Some(to) => on(day) && time >= self.from && time < to,
            None => on(day) && time >= self.from,
        }
    }
}

fn span(value: &Value) -> Result<Span, String> {
    let Value::Object(fields) = value else {
        return Err("must be {days: [...], from: ..., to: ..., time_zone: ...}".to_owned());
    };
    let known = ["days", "from", "to", "time_zone"];
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        let unknown = alerts::clean(unknown, 40);
        return Err(format!(
            "{unknown}: there is no such field; there are {}",
            known.join(", ")
        ));
    }
    let time = |field: &str| match fields.get(field) {
        None => Ok(None),
        Some(Value::String(text)) => text.parse::<Time>().map(Some).map_err(|_| {
            format!(
                "{field}: `{}` is no time such as 22:00",
                alerts::clean(text, 40)
            )
        }),
        Some(_) => Err(format!("{field}: a time in quotes, such as \"22:00\"")),
    };
    let days = match fields.get("days") {
        None => DAYS.map(|(_, day)| day).to_vec(),
        Some(Value::Array(days)) => days.iter().map(day).collect::<Result<_, _>>()?,
        Some(one) => vec![day(one)?],
    };
    let zone = match fields.get("time_zone") {
        None => TimeZone::UTC,
        Some(Value::String(name)) => TimeZone::get(name)
            .map_err(|_| format!("time_zone: `{}` is none", alerts::clean(name, 60)))?,
        Some(_) => return Err("time_zone: a name such as Europe/Berlin".to_owned()),
    };
    Ok(Span {
        days,
        from: time("from")?.unwrap_or(Time::midnight()),
        to: time("to")?,
        zone,
    })
}

fn day(value: &Value) -> Result<Weekday, String> {
    let name = value.as_str().unwrap_or_default().to_lowercase();
    let found = DAYS.iter().find(|(known, _)| *known == name);
    let names = DAYS.map(|(name, _)| name).join(", ");
    found
        .map(|(_, day)| *day)
        .ok_or_else(|| format!("days: there are {names}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::MuteTimes;

    #[track_caller]
    fn check(spans: serde_json::Value, muted: &[&str], not: &[&str]) {
        let times = MuteTimes::read(&json!({ "t": spans })).unwrap();
        let at = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        for time in muted {
            assert!(times.is_now("t", at(time)), "{time}");
        }
        for time in not {
            assert!(!times.is_now("t", at(time)), "{time}");
        }
    }

    #[test]
    fn days_hours_and_zones() {
        // 2026-11-21 is a Saturday.
        check(
            json!({"days": ["sat", "sun"]}),
            &["2026-11-21T00:00:00Z", "2026-11-22T23:59:59Z"],
            &["2026-11-20T23:59:59Z", "2026-11-23T00:00:00Z"],
        );
        check(
            json!({"days": "fri", "from": "22:00", "to": "06:00", "time_zone": "Europe/Berlin"}),
            &["2026-11-20T21:00:00Z", "2026-11-21T04:59:00Z"],
            &[
                "2026-11-20T20:59:00Z",
                "2026-11-21T05:00:00Z",
                "2026-11-21T21:30:00Z",
            ],
        );
        check(
            json!([{"from": "12:00", "to": "13:00"}, {"from": "23:30"}]),
            &["2026-11-20T12:00:00Z", "2026-11-20T23:30:00Z"],
            &["2026-11-20T13:00:00Z", "2026-11-20T00:00:00Z"],
        );
    }

    #[test]
    fn mistakes_are_told() {
        let wrong = |spans| MuteTimes::read(&json!({ "t": spans })).unwrap_err();
        assert!(wrong(json!({"days": ["satt"]})).contains("t: days: there are mon"));
        assert!(wrong(json!({"from": "25:00"})).contains("no time"));
        assert!(wrong(json!({"time_zone": "Mars/Base"})).contains("is none"));
        assert!(wrong(json!({"form": "22:00"})).contains("no such field"));
    }
}
