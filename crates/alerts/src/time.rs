//! Times as text.

/// RFC 3339 in UTC, with microseconds only where there are some: `2026-11-21T10:00:00Z`. Years outside 0 to 9999, which
/// RFC 3339 does not know, get their sign or their fifth digit.
pub fn rfc3339(micros: i64) -> String {
    let (year, month, day, second) = civil(micros);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = match micros.rem_euclid(1_000_000) {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month, day and second of the day, by the arithmetic of Howard Hinnant's `civil_from_days`.
fn civil(micros: i64) -> (i64, i64, i64, i64) {
    let seconds = micros.div_euclid(1_000_000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, seconds.rem_euclid(86_400))
}

/// UTC microseconds of a date (its first moment, in UTC) or a time as people write it: `2026-12-31`, `2026-12-31T18:00Z`,
/// `2026-12-31 18:00:00.5+01:00`. A time without an offset is in UTC. Years 0 to 9999.
pub fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = match text.get(..10)? {
        date if text.len() == 10 => (date, ""),
        date => (date, text.get(10..)?.strip_prefix(['T', 't', ' '])?),
    };
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?;
    // A day that the calendar lacks would come back as another.
    let days = days_from_civil(year, month, day);
    (civil(days.checked_mul(86_400_000_000)?) == (year, month, day, 0)).then_some(())?;
    if time.is_empty() {
        return (text.len() == 10).then_some(days * 86_400_000_000);
    }
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        None => (time, 0),
        Some(at) => match &time[at..] {
            "Z" | "z" => (&time[..at], 0),
            offset => {
                let [hour, minute] = numbers(&offset[1..], ':', &[2, 2])?;
                (hour < 24 && minute < 60).then_some(())?;
                let sign = if offset.starts_with('-') { -1 } else { 1 };
                (&time[..at], sign * (hour * 60 + minute))
            }
        },
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let fits = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let fraction: i64 = fits.then(|| format!("{fraction:0<6}").parse().ok())??;
    let [hour, minute, second] = match clock.len() {
        5 => {
            let [hour, minute] = numbers(clock, ':', &[2, 2])?;
            [hour, minute, 0]
        }
        _ => numbers(clock, ':', &[2, 2, 2])?,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(())?;
    let seconds = days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second;
    Some(seconds * 1_000_000 + fraction)
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, between: char, digits: &[usize; N]) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let fits = part.len() == *digits && part.bytes().all(|b| b.is_ascii_digit());
        *number = fits.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970-01-01, by the arithmetic of Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::{instant, rfc3339};

    #[test]
    fn times_that_people_write() {
        let noon = Some(1_795_255_200_000_000);
        for text in [
            "2026-11-21T10:00:00Z",
            "2026-11-21t10:00:00z",
            "2026-11-21 10:00",
            "2026-11-21T11:00:00.000+01:00",
            "2026-11-21T04:30-05:30",
        ] {
            assert_eq!(instant(text), noon, "{text}");
        }
        assert_eq!(instant("2026-11-21"), Some(1_795_219_200_000_000));
        assert_eq!(instant("2024-02-29"), instant("2024-02-29T00:00:00Z"));
        assert_eq!(
            instant("2026-11-21T10:00:00.5Z").map(|t| t % 1_000_000),
            Some(500_000)
        );
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-1-01",
            "26-01-01",
            "2026-11-21T",
            "2026-11-21T24:00",
            "2026-11-21T10:60",
            "2026-11-21T10",
            "2026-11-21T10:00:00+25:00",
            "2026-11-21T10:00:00.Z",
            "2026-11-21X10:00",
            "2026-11-21Z",
            "tomorrow!!",
            "２０２６-11-21",
            "2026-11-21T10:00:00Zx",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn times_come_back() {
        for micros in [
            0,
            -1,
            951_782_400_000_000,
            4_107_542_400_000_000,
            -62_167_219_200_000_000,
        ] {
            assert_eq!(instant(&rfc3339(micros)), Some(micros));
        }
    }

    fn check(micros: i64, text: &str) {
        assert_eq!(rfc3339(micros), text);
    }

    #[test]
    fn times() {
        check(0, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(1_795_255_200_000_000, "2026-11-21T10:00:00Z");
        check(1_795_255_200_000_100, "2026-11-21T10:00:00.000100Z");
        check(951_782_400_000_000, "2000-02-29T00:00:00Z");
        check(4_107_542_399_000_000, "2100-02-28T23:59:59Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00Z");
        check(i64::MIN, "-290308-12-21T19:59:05.224192Z");
        check(i64::MAX, "294247-01-10T04:00:54.775807Z");
    }
}
