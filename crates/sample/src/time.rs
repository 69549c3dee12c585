//! The ways GuardDuty writes a time. Times are UTC microseconds since 1970.

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Year, month and day of a number of days since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn digits(out: &mut String, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(char::from(b'0' + (value / 10_i64.pow(place) % 10) as u8));
    }
}

fn date_and_time(out: &mut String, micros: i64) {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let second = micros.rem_euclid(DAY) / SECOND;
    for (value, width, mark) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (second / 3_600, 2, ':'),
        (second / 60 % 60, 2, ':'),
    ] {
        digits(out, value, width);
        out.push(mark);
    }
    digits(out, second % 60, 2);
}

/// `2026-07-01T08:15:30.250Z`
pub(crate) fn iso_millis(out: &mut String, micros: i64) {
    date_and_time(out, micros);
    out.push('.');
    digits(out, micros.rem_euclid(SECOND) / 1_000, 3);
    out.push('Z');
}

/// `2026-07-01T08:15:30Z`
pub(crate) fn iso_seconds(out: &mut String, micros: i64) {
    date_and_time(out, micros);
    out.push('Z');
}

/// `2026-07-01T03:15:30.250000-05:00`: how the AWS CLI prints a timestamp of the wire, in the zone of its machine.
pub(crate) fn iso_offset(out: &mut String, micros: i64, offset_hours: i64) {
    date_and_time(out, micros + offset_hours * HOUR);
    out.push('.');
    digits(out, micros.rem_euclid(SECOND), 6);
    out.push(if offset_hours < 0 { '-' } else { '+' });
    digits(out, offset_hours.abs(), 2);
    out.push_str(":00");
}

/// `1.63900583E9`: epoch seconds as Java prints a double.
pub(crate) fn epoch(out: &mut String, micros: i64) {
    let millis = (micros / 1_000).max(1_000_000_000_000).to_string();
    let fraction = millis[1..].trim_end_matches('0');
    out.push_str(&millis[..1]);
    out.push('.');
    out.push_str(if fraction.is_empty() { "0" } else { fraction });
    out.push_str("E9");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut String), expected: &str) {
        let mut out = String::new();
        write(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn times_are_written_as_guardduty_does() {
        check(
            |o| iso_millis(o, 1_709_210_096_250_000),
            "2024-02-29T12:34:56.250Z",
        );
        check(|o| iso_seconds(o, 0), "1970-01-01T00:00:00Z");
        check(
            |o| iso_offset(o, 1_679_518_105_752_000, -5),
            "2023-03-22T15:48:25.752000-05:00",
        );
        check(|o| epoch(o, 1_639_005_830_000_000), "1.63900583E9");
        check(|o| epoch(o, 1_513_612_691_551_000), "1.513612691551E9");
    }
}
