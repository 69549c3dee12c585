//! When reports are made, beside a brute force that looks at every minute.

use croner::Cron;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use crate::{CatchUp, Period, Schedule, Unit, Zone, due};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

fn micros(text: &str) -> i64 {
    alerts::instant(text).unwrap()
}

fn schedule(line: &str, zone: &str) -> Schedule {
    Schedule::parse(line, &Zone::named(zone).unwrap()).unwrap()
}

#[track_caller]
fn check_fires(line: &str, zone: &str, after: &str, expected: &[&str]) {
    let schedule = schedule(line, zone);
    let mut at = micros(after);
    let mut seen = Vec::new();
    for _ in expected {
        at = schedule.next_after(at).unwrap();
        seen.push(alerts::rfc3339(at));
    }
    assert_eq!(seen, expected);
}

#[test]
fn times_on_the_wall() {
    let berlin = "Europe/Berlin";
    check_fires(
        "0 7 * * 1",
        "UTC",
        "2026-11-16T07:00Z",
        &["2026-11-23T07:00:00Z"],
    );
    check_fires(
        "0 7 * * 1",
        berlin,
        "2026-10-19",
        &["2026-10-19T05:00:00Z", "2026-10-26T06:00:00Z"],
    );
    // Half past two does not exist: at the jump. It comes twice: the first time.
    check_fires(
        "30 2 * * *",
        berlin,
        "2026-03-28T12:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
    check_fires(
        "30 2 * * *",
        berlin,
        "2026-10-24T12:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
    // Between the two showings, and in the second.
    check_fires(
        "45 2 * * *",
        berlin,
        "2026-10-25T01:30Z",
        &["2026-10-26T01:45:00Z"],
    );
    check_fires(
        "0 6 31 * *",
        "UTC",
        "2026-01-31T06:00Z",
        &["2026-03-31T06:00:00Z", "2026-05-31T06:00:00Z"],
    );
    check_fires(
        "0 6 L * *",
        "UTC",
        "2026-02-01",
        &["2026-02-28T06:00:00Z", "2026-03-31T06:00:00Z"],
    );
    check_fires("@weekly", "UTC", "2026-11-16", &["2026-11-22T00:00:00Z"]);
    check_fires("0 0 29 2 *", "UTC", "2026-01-01", &["2028-02-29T00:00:00Z"]);
}

#[test]
fn lines_that_are_none() {
    let utc = Zone::named("UTC").unwrap();
    for line in [
        "",
        "0 7 * *",
        "61 7 * * *",
        "0 7 * * 1 *",
        "0 0 30 2 *",
        "x",
        "@never",
        "0 0 31 4 *",
    ] {
        assert!(Schedule::parse(line, &utc).is_err(), "{line}");
    }
    let words = schedule("0 7 * * 1", "Europe/Berlin").describe();
    assert_eq!(words, "At 07:00, on Monday (Europe/Berlin)");
}

fn names(periods: &[Period]) -> Vec<String> {
    periods.iter().map(Period::name).collect()
}

#[test]
fn what_an_outage_left_to_do() {
    let monday = schedule("0 7 * * 1", "UTC");
    let zone = Zone::named("UTC").unwrap();
    let made = Period::named(Unit::Week, &zone, "2026-10-20").unwrap();
    let (now, since) = (micros("2026-11-18"), micros("2026-11-17"));
    let check = |catch_up, last: Option<&Period>, since: i64, expected: &[&str]| {
        assert_eq!(
            names(&due(&monday, Unit::Week, catch_up, last, now, since)),
            expected
        );
    };
    check(
        CatchUp::All,
        Some(&made),
        since,
        &["2026-W44", "2026-W45", "2026-W46"],
    );
    check(CatchUp::Latest, Some(&made), since, &["2026-W46"]);
    check(CatchUp::None, Some(&made), since, &[]);
    check(
        CatchUp::None,
        Some(&made),
        micros("2026-11-16"),
        &["2026-W46"],
    );
    // Never made: only what was due since somebody watched.
    check(CatchUp::All, None, since, &[]);
    check(
        CatchUp::All,
        None,
        micros("2026-11-02"),
        &["2026-W44", "2026-W45", "2026-W46"],
    );
    check(CatchUp::Latest, None, micros("2026-11-02"), &["2026-W46"]);
    let newest = Period::named(Unit::Week, &zone, "2026-11-10").unwrap();
    for catch_up in [CatchUp::None, CatchUp::Latest, CatchUp::All] {
        // Made already; and a clock that went back to before it was made.
        check(catch_up, Some(&newest), 0, &[]);
        assert!(
            due(
                &monday,
                Unit::Week,
                catch_up,
                Some(&newest),
                micros("2026-11-01"),
                0
            )
            .is_empty()
        );
        assert!(due(&monday, Unit::Week, catch_up, None, i64::MIN, i64::MIN).is_empty());
    }
    // Twenty years of days come in portions.
    let daily = schedule("@daily", "UTC");
    let old = Period::named(Unit::Day, &zone, "2006-11-10").unwrap();
    let portion = due(&daily, Unit::Day, CatchUp::All, Some(&old), now, now);
    assert_eq!(portion.len(), crate::MOST_DUE);
    let more = due(&daily, Unit::Day, CatchUp::All, portion.last(), now, now);
    assert_eq!(more[0], portion.last().unwrap().next().unwrap());
}

/// Fires within (after, until], by looking at each minute of the wall and asking when it was shown first. `None` where the
/// clock skips it: then it is the first minute that is shown after it.
fn brute_fires(cron: &Cron, zone: &Zone, after: i64, until: i64) -> Vec<i64> {
    let rules = zone.rules();
    let mut fires = Vec::new();
    let mut wall = rules.to_datetime(Timestamp::from_microsecond(after - DAY).unwrap());
    wall = wall.date().at(0, 0, 0, 0);
    let end = rules.to_datetime(Timestamp::from_microsecond(until + DAY).unwrap());
    let shown = |wall| {
        let moments = rules.to_ambiguous_timestamp(wall);
        moments.unambiguous().or_else(|_| match moments.offset() {
            jiff::tz::AmbiguousOffset::Fold { .. } => moments.earlier(),
            _ => Err(jiff::Error::from_args(format_args!("skipped"))),
        })
    };
    while wall < end {
        if cron.is_time_matching(&wall).unwrap() {
            let mut at = wall;
            let moment = loop {
                match shown(at) {
                    Ok(moment) => break moment.as_microsecond(),
                    Err(_) => at = at.checked_add(1.minute()).unwrap(),
                }
            };
            if moment > after && moment <= until {
                fires.push(moment);
            }
        }
        wall = wall.checked_add(1.minute()).unwrap();
    }
    fires.sort_unstable();
    fires.dedup();
    fires
}

fn brute_due(
    fires: &[i64],
    unit: Unit,
    zone: &Zone,
    catch_up: CatchUp,
    last: Option<&Period>,
    since: i64,
) -> Vec<Period> {
    let counts = |fire: &&i64| **fire > since || (last.is_some() && catch_up != CatchUp::None);
    let periods = fires.iter().filter(counts);
    let mut periods: Vec<Period> = periods
        .map(|fire| Period::before(unit, zone, *fire).unwrap())
        .collect();
    periods.retain(|period| last.is_none_or(|last| period.to() > last.to()));
    periods.dedup();
    match (catch_up, periods.pop()) {
        (_, None) => Vec::new(),
        (CatchUp::All, Some(newest)) => {
            periods.push(newest);
            periods
        }
        (_, Some(newest)) => vec![newest],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn due_is_what_every_minute_says(
        line in prop::sample::select(vec![
            "0 7 * * 1", "30 2 * * *", "*/20 * * * *", "0 0 1 * *", "15 1-3 * * 0,6", "0 6 L * *", "59 23 * * *", "0 0 * * *", "5 */5 13 * 5", "0 12 1 1 *",
        ]),
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca",
        ]),
        unit in prop::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Quarter]),
        catch_up in prop::sample::select(vec![CatchUp::None, CatchUp::Latest, CatchUp::All]),
        // 2011 has Samoa's missing day; 2026 the ordinary jumps.
        begin in prop::sample::select(vec!["2011-12-20", "2026-03-20", "2026-10-18", "2026-08-25", "2023-12-20"]),
        made in prop::option::of(0..40_000i64),
        watched in 0..40_000i64,
        length in 1..40_000i64,
    ) {
        let parsed = schedule(line, zone);
        let zone = Zone::named(zone).unwrap();
        let cron: Cron = line.parse().unwrap();
        let begin = micros(begin);
        let now = begin + length * MINUTE;
        let since = begin + watched * MINUTE - 1;
        let last = made.and_then(|made| Period::before(unit, &zone, begin + made * MINUTE));
        // Long enough before for the longest period, whose fires count where it was the last.
        let from = last.as_ref().map_or(since, |last| last.to().min(since));
        let fires = brute_fires(&cron, &zone, from, now);
        let expected = brute_due(&fires, unit, &zone, catch_up, last.as_ref(), since);
        let seen = due(&parsed, unit, catch_up, last.as_ref(), now, since);
        prop_assert_eq!(names(&seen), names(&expected));

        // One look a minute makes what one look at the end makes, each once.
        if catch_up == CatchUp::All {
            let mut made = last.clone();
            let mut one_by_one = Vec::new();
            for at in (begin..=now).step_by(977 * MINUTE as usize).chain([now]) {
                for period in due(&parsed, unit, catch_up, made.as_ref(), at, since) {
                    made = Some(period.clone());
                    one_by_one.push(period);
                }
            }
            prop_assert_eq!(names(&one_by_one), names(&expected));
        }
    }
}
