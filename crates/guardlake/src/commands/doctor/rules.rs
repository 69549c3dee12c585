//! Checks of files that people write: rules, SQL, suppressions, channels and routes, and the secrets that channels name.

use notifier::Outside;

use super::{Needs, Row, limited};
use crate::commands::config::{Looked, check_sql_and_rules, check_suppressions};
use crate::commands::notify;
use crate::settings::Settings;
use crate::wire_up;

pub(super) async fn rows(settings: &Settings, needs: Needs) -> Vec<Row> {
    let mut rows = Vec::new();
    if needs.rules {
        let remedy = "correct it: guardlake rule check shows each mistake in its line";
        let looked = limited("rules", check_sql_and_rules(settings)).await;
        rows.push(looked.map_or_else(|row| row, |looked| row("rules", looked, remedy)));
        let remedy = "correct it: guardlake config validate lists all mistakes";
        rows.push(row("suppressions", check_suppressions(settings), remedy));
    }
    if needs.notify {
        rows.extend(channels(settings));
    }
    rows
}

fn row(check: &str, looked: Looked, remedy: &str) -> Row {
    match looked {
        Ok(Some(what)) => Row::ok(check, what),
        Ok(None) => Row::skipped(check, "none are configured"),
        Err(wrong) => {
            let first = wrong.first().map(String::as_str).unwrap_or_default();
            let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
            let more = match wrong.len() {
                0 | 1 => String::new(),
                all => format!(" (and {} more)", all - 1),
            };
            Row::failed(check, format!("{first}{more}"), remedy)
        }
    }
}

/// Channels and routes are read, secrets are looked for and never shown, nobody is connected to.
fn channels(settings: &Settings) -> Vec<Row> {
    let setup = match notify::setup(settings, None) {
        Ok(Some(setup)) => setup,
        Ok(None) => {
            let seen = "no file says who is told; alerts are printed";
            return vec![Row::skipped("channels", seen)];
        }
        Err(failure) => {
            let wrong = failure.lines().map(str::to_owned).collect();
            return vec![row(
                "channels",
                Err(wrong),
                "correct it: guardlake notify check lists all mistakes",
            )];
        }
    };
    let count = setup.channels().count();
    let stops = setup.routes().stops();
    let seen = format!("{count} channels, {} routes", stops.len());
    let mut rows = vec![Row::ok("channels", seen)];
    match setup.build(&Outside::real(wire_up::system_time)) {
        Ok(_) => rows.push(Row::ok(
            "channels: secrets",
            "all that channels name are there",
        )),
        Err(error) => {
            let remedy = "set the variable or write the file; it must be readable for the user that guardlake runs as";
            rows.extend(
                error
                    .mistakes
                    .iter()
                    .map(|mistake| Row::failed("channels: secrets", &mistake.message, remedy)),
            );
        }
    }
    rows
}
