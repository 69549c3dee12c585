//! Periods: where they begin and end, in zones whose clocks jump.

use crate::{Period, Unit, Zone};

fn micros(text: &str) -> i64 {
    alerts::instant(text).unwrap()
}

#[track_caller]
fn check(unit: Unit, zone: &str, date: &str, name: &str, from: &str, to: &str) {
    let zone = Zone::named(zone).unwrap();
    let period = Period::named(unit, &zone, date).unwrap();
    let seen = (
        period.name(),
        alerts::rfc3339(period.from()),
        alerts::rfc3339(period.to()),
    );
    assert_eq!(seen, (name.to_owned(), from.to_owned(), to.to_owned()));
    for inside in [period.from(), period.to() - 1] {
        assert_eq!(Period::containing(unit, &zone, inside).unwrap(), period);
    }
    assert_eq!(Period::before(unit, &zone, period.to()).unwrap(), period);
    assert_ne!(
        Period::before(unit, &zone, period.to() - 1).unwrap(),
        period
    );
    assert_eq!(period.next().unwrap().previous().unwrap(), period);
    assert_eq!(period.next().unwrap().from(), period.to());
    if unit != Unit::Day {
        assert_eq!(Period::named(unit, &zone, &period.name()).unwrap(), period);
    }
}

#[test]
fn periods_of_the_calendar() {
    let utc = "UTC";
    check(
        Unit::Day,
        utc,
        "2026-11-16",
        "2026-11-16",
        "2026-11-16T00:00:00Z",
        "2026-11-17T00:00:00Z",
    );
    check(
        Unit::Week,
        utc,
        "2026-11-22",
        "2026-W47",
        "2026-11-16T00:00:00Z",
        "2026-11-23T00:00:00Z",
    );
    check(
        Unit::Month,
        utc,
        "2024-02-29",
        "2024-02",
        "2024-02-01T00:00:00Z",
        "2024-03-01T00:00:00Z",
    );
    check(
        Unit::Quarter,
        utc,
        "2026-12-31",
        "2026-Q4",
        "2026-10-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    // The year of a week is not that of its first day.
    check(
        Unit::Week,
        utc,
        "2024-12-30",
        "2025-W01",
        "2024-12-30T00:00:00Z",
        "2025-01-06T00:00:00Z",
    );
    check(
        Unit::Week,
        utc,
        "2027-01-01",
        "2026-W53",
        "2026-12-28T00:00:00Z",
        "2027-01-04T00:00:00Z",
    );
}

#[test]
fn days_of_other_lengths() {
    let berlin = "Europe/Berlin";
    check(
        Unit::Day,
        berlin,
        "2026-03-29",
        "2026-03-29",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    );
    check(
        Unit::Day,
        berlin,
        "2026-10-25",
        "2026-10-25",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    );
    check(
        Unit::Month,
        berlin,
        "2026-10-05",
        "2026-10",
        "2026-09-30T22:00:00Z",
        "2026-10-31T23:00:00Z",
    );
    // Midnight is skipped: the day begins at one.
    check(
        Unit::Day,
        "America/Santiago",
        "2026-09-06",
        "2026-09-06",
        "2026-09-06T04:00:00Z",
        "2026-09-07T03:00:00Z",
    );
}

#[test]
fn words_for_people() {
    let zone = Zone::named("UTC").unwrap();
    let say = |unit, date| Period::named(unit, &zone, date).unwrap().words();
    assert_eq!(say(Unit::Day, "2026-11-16"), "Monday, 16 November 2026");
    assert_eq!(
        say(Unit::Week, "2026-11-18"),
        "16 to 22 November 2026 (week 47)"
    );
    assert_eq!(
        say(Unit::Week, "2026-09-30"),
        "28 September to 4 October 2026 (week 40)"
    );
    assert_eq!(
        say(Unit::Week, "2027-01-01"),
        "28 December 2026 to 3 January 2027 (week 53)"
    );
    assert_eq!(say(Unit::Month, "2026-11-18"), "November 2026");
    assert_eq!(say(Unit::Quarter, "2026-11-18"), "October to December 2026");
}

#[test]
fn what_is_no_period_is_refused() {
    let zone = Zone::named("UTC").unwrap();
    for text in [
        "",
        "2026",
        "2026-02-30",
        "2026-1-1",
        "2026-W60",
        "2026-Q5",
        "2026-Q0",
        "9999-12-31",
        "../../x",
        "2026-11-16T00:00:00Z",
        "-026-01-01",
    ] {
        for unit in [Unit::Day, Unit::Week, Unit::Month, Unit::Quarter] {
            assert!(Period::named(unit, &zone, text).is_err(), "{text}");
        }
    }
    assert_eq!(
        Zone::named("Europe/Berln").unwrap_err(),
        "there is no time zone `Europe/Berln`; write it like Europe/Berlin"
    );
    assert!(Period::containing(Unit::Day, &zone, i64::MAX).is_none());
    assert_eq!(
        Period::named(Unit::Day, &zone, "2026-11-16")
            .unwrap()
            .from(),
        micros("2026-11-16")
    );
}
