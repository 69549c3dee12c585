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

#[cfg(test)]
mod tests {
    use super::rfc3339;

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
