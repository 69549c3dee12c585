//! Bars of block characters, for people.

use alerts::rfc3339;

/// Lines of a plot at most.
const LINES: usize = 45;
/// Characters of the longest bar: with date and number under eighty.
const WIDTH: usize = 56;

/// A bar of `width` characters for `most`; what is not nothing shows.
pub(super) fn bar(value: u64, most: u64, width: usize) -> String {
    const EIGHTHS: [char; 8] = ['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if value == 0 || most == 0 {
        return String::new();
    }
    let eighths = (u128::from(value) * width as u128 * 8 / u128::from(most)).max(1) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

/// A line for each day; for each so many days where they are too many for a screen.
pub(super) fn days(days: &[(i64, u64)]) -> String {
    let together = days.len().div_ceil(LINES).max(1);
    let lines: Vec<(i64, u64)> = days
        .chunks(together)
        .map(|chunk| (chunk[0].0, chunk.iter().map(|(_, alerts)| alerts).sum()))
        .collect();
    let most = lines.iter().map(|(_, alerts)| *alerts).max().unwrap_or(0);
    let mut text = match together {
        1 => "alerts a day\n".to_owned(),
        many => format!("alerts in each {many} days\n"),
    };
    for (day, alerts) in lines {
        let date = rfc3339(day);
        let date = date.split('T').next().unwrap_or_default();
        let line = format!("{date}  {alerts:>5}  {}", bar(alerts, most, WIDTH));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        for (value, most, expected) in [
            (0, 10, ""),
            (10, 10, "████"),
            (5, 10, "██"),
            (1, 1_000_000, "▏"),
            (3, 8, "█▌"),
            (u64::MAX, u64::MAX, "████"),
            (0, 0, ""),
        ] {
            assert_eq!(bar(value, most, 4), expected, "{value} of {most}");
        }
    }

    #[test]
    fn a_plot_fits_a_screen_and_loses_nothing() {
        let day = 86_400_000_000;
        for length in [1, 45, 46, 400] {
            let all: Vec<(i64, u64)> = (0..length).map(|at| (at * day, at as u64)).collect();
            let plot = days(&all);
            let lines: Vec<&str> = plot.lines().skip(1).collect();
            assert!(lines.len() <= LINES, "{length}");
            assert!(lines.iter().all(|line| line.chars().count() <= 80));
            let numbers = lines
                .iter()
                .map(|line| line.split_whitespace().nth(1).unwrap());
            let sum: u64 = numbers.map(|number| number.parse::<u64>().unwrap()).sum();
            assert_eq!(sum, all.iter().map(|(_, alerts)| alerts).sum::<u64>());
        }
    }
}
