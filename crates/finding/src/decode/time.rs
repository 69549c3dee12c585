//! Instants in every way findings write them, as UTC microseconds. Exact: no floating point on the way.

use crate::Micros;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Years 0001 to 9999: what readers of the lake can show.
const RANGE: std::ops::Range<i64> = -719_162 * DAY..2_932_897 * DAY;

/// An instant from ISO 8601 text (`T` or space, `Z`, offset or nothing for UTC, any number of decimals, date alone) or from
/// epoch seconds or milliseconds as a number in any notation (`1.63900583E9`). Digits past the microsecond are cut off.
/// `None` for anything else, dates that do not exist, and years outside 1 to 9999.
pub(super) fn parse(text: &str) -> Option<Micros> {
    let text = text.trim();
    let iso = text.as_bytes().get(4) == Some(&b'-') && text.len() >= 10;
    if iso {
        calendar(text.as_bytes())
    } else {
        epoch(text)
    }
    .filter(|micros| RANGE.contains(micros))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0'))
    })
}

fn calendar(text: &[u8]) -> Option<Micros> {
    let (date, rest) = text.split_at_checked(10)?;
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = date else {
        return None;
    };
    let days = days_from_civil(number(y)?, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?;
    let (time, zone) = match rest {
        [] => (0, rest),
        [b'T' | b't' | b' ', rest @ ..] => clock(rest)?,
        _ => return None,
    };
    Some(days * DAY + time - offset(zone)?)
}

/// `hh:mm[:ss[.f]]` as microseconds of the day, and what follows. 60 is a leap second.
fn clock(text: &[u8]) -> Option<(i64, &[u8])> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else {
        return None;
    };
    let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let (seconds, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (number(&[*s1, *s2])?, rest),
        _ => (0, rest),
    };
    let (micros, rest) = match rest {
        [b'.' | b',', rest @ ..] => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let micros = (0..6).fold(0, |sum, i| {
                sum * 10
                    + if i < digits {
                        i64::from(rest[i] - b'0')
                    } else {
                        0
                    }
            });
            (
                micros,
                if digits == 0 {
                    return None;
                } else {
                    &rest[digits..]
                },
            )
        }
        _ => (0, rest),
    };
    let valid = hours < 24 && minutes < 60 && seconds <= 60;
    valid.then_some((
        ((hours * 60 + minutes) * 60 + seconds) * SECOND + micros,
        rest,
    ))
}

/// `Z`, ` UTC`, `+hh`, `-hhmm`, `+hh:mm` or nothing, as microseconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii_start();
    let (sign, digits) = match zone {
        [] | [b'Z' | b'z'] | b"UTC" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => (number(&[*h1, *h2])?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * SECOND)
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// A decimal number of seconds, or of milliseconds when it is past the year 5138 as seconds.
fn epoch(text: &str) -> Option<Micros> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.parse::<i32>().ok().filter(|e| e.abs() <= 40)?,
        ),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || whole.len() + fraction.len() > 30 {
        return None;
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let value = digits.into_iter().try_fold(0i128, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + i128::from(b - b'0'))
    })?;
    let micros = scale(value, exponent - fraction.len() as i32 + 6)?;
    let micros = if micros >= 100_000_000_000 * i128::from(SECOND) {
        micros / 1_000
    } else {
        micros
    };
    i64::try_from(if negative { -micros } else { micros }).ok()
}

/// `value` times ten to the `power`, cut off towards zero.
fn scale(value: i128, power: i32) -> Option<i128> {
    let ten = 10i128.checked_pow(power.unsigned_abs().min(38))?;
    if power >= 0 {
        value.checked_mul(ten)
    } else {
        Some(value / ten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, micros: Option<i64>) {
        assert_eq!(parse(text), micros, "{text}");
    }

    #[test]
    fn every_form_of_the_samples() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2016-08-02T02:05:06.000Z", Some(1_470_103_506_000_000));
        check("2018-01-31T19:23:05Z", Some(1_517_426_585_000_000));
        check(
            "2023-03-22T15:48:25.752000-05:00",
            Some(1_679_518_105_752_000),
        );
        check("2025-02-25 20:40:06.721", Some(1_740_516_006_721_000));
        check("2025-02-25 20:40:06.000000000", Some(1_740_516_006_000_000));
        check("2025-02-25 20:40:06.721 UTC", Some(1_740_516_006_721_000));
        check("2025-02-25T20:40:06.7219999Z", Some(1_740_516_006_721_999));
        check("1492735675000", Some(1_492_735_675_000_000));
        check("1.63900583E9", Some(1_639_005_830_000_000));
        check("1639010703.5", Some(1_639_010_703_500_000));
        check("1639010703", Some(1_639_010_703_000_000));
        check("2024-02-29", Some(1_709_164_800_000_000));
        check("2024-02-29T12:00+0530", Some(1_709_188_200_000_000));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "now",
            "synthetic-EventFirstSeen",
            "2023-02-29T00:00:00Z",
            "2024-13-01",
            "2024-00-10",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:61:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00 PST",
            "2024-01-01T00:00:00+25:00",
            "0000-01-01",
            "1e999",
            "99999999999999999999999999999999999",
            "1e30",
            "--1",
            ".5",
            "+2024-01-01",
            "é024-01-01T00:00:00Z",
        ] {
            check(text, None);
        }
        check("0001-01-01T00:00:00Z", Some(RANGE.start));
        check("9999-12-31T23:59:59.999999Z", Some(RANGE.end - 1));
        check("9999-12-31T23:59:60Z", None);
        check("-1", Some(-1_000_000));
    }
}
