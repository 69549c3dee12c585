//! Numbers and times as people read them. Days are those of UTC, which is how a day without a clock is written.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::period::Zone;

/// `-1,234,567`.
pub(crate) fn whole(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::new();
    if value < 0 {
        out.push('−');
    }
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234.5`: one digit after the point from 10 on, two below, none where there is no fraction; `–` for what is no number.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value.abs() >= 1e15 {
        return format!("{value:e}");
    }
    let places = if value.abs() >= 10.0 { 1 } else { 2 };
    let text = format!("{:.places$}", value.abs());
    let (before, after) = text.split_once('.').unwrap_or((&text, ""));
    let before = whole(before.parse().unwrap_or(0));
    let after = after.trim_end_matches('0');
    let sign = if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        "−"
    } else {
        ""
    };
    match after {
        "" => format!("{sign}{before}"),
        after => format!("{sign}{before}.{after}"),
    }
}

/// For an axis: `950`, `1.2k`, `3M`.
pub(crate) fn short(value: f64) -> String {
    let scaled = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match value.abs() {
        size if size >= 999_950_000.0 => scaled(value / 1e9, "G"),
        size if size >= 999_950.0 => scaled(value / 1e6, "M"),
        size if size >= 1_000.0 => scaled(value / 1e3, "k"),
        _ => number(value),
    }
}

/// `2026-11-16`.
pub(crate) fn day(micros: i64) -> String {
    format("%Y-%m-%d", micros)
}

/// `2026-11-16 07:00`, on the clock of a zone.
pub(crate) fn minute(micros: i64, zone: &Zone) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) => {
            let time = time.to_zoned(zone.rules().clone());
            time.strftime("%Y-%m-%d %H:%M").to_string()
        }
        Err(_) => "–".to_owned(),
    }
}

/// `16 Nov`.
pub(crate) fn short_day(micros: i64) -> String {
    format("%-d %b", micros)
}

fn format(format: &str, micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(format).to_string(),
        Err(_) => "–".to_owned(),
    }
}

/// `account_name` becomes `Account name`; a few short words keep their capitals.
pub(crate) fn heading(column: &str) -> String {
    let known = |word: &str| match word {
        "id" => Some("ID"),
        "ip" => Some("IP"),
        "ips" => Some("IPs"),
        "ou" => Some("OU"),
        "asn" => Some("ASN"),
        "p90" => Some("p90"),
        "z" => Some("z"),
        _ => None,
    };
    let words = column.split('_').filter(|word| !word.is_empty());
    let mut out = String::new();
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(' ');
        }
        match known(word) {
            Some(word) => out.push_str(word),
            None if at == 0 => {
                let mut letters = word.chars();
                out.extend(letters.next().into_iter().flat_map(char::to_uppercase));
                out.push_str(letters.as_str());
            }
            None => out.push_str(word),
        }
    }
    alerts::clean(&out, 60).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(whole(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!(whole(999), "999");
        assert_eq!(whole(-1_000), "−1,000");
        let seen = [0.0, -0.001, 1.25, 12.34, 1234.56, 7.10, f64::NAN].map(number);
        assert_eq!(seen, ["0", "0", "1.25", "12.3", "1,234.6", "7.1", "–"]);
        let seen = [0.5, 999.0, 1_200.0, 999_999.0, 3e6].map(short);
        assert_eq!(seen, ["0.5", "999", "1.2k", "1M", "3M"]);
    }

    #[test]
    fn columns_become_headings() {
        let seen = ["account_id", "remote_ip", "p90_to_ack_minutes", "findings"].map(heading);
        assert_eq!(
            seen,
            ["Account ID", "Remote IP", "P90 to ack minutes", "Findings"]
                .map(|s| s.replace("P90", "p90"))
        );
    }
}
