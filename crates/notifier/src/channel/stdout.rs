//! Standard output: a line of JSON for each alert, for a terminal or for whatever reads the process's output; of a report a few lines of
//! text.

use std::io::Write;

use alerts::Notice;
use async_trait::async_trait;
use serde::Deserialize;

use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{Bulletin, lines};
use crate::channels::{Outside, Settings};
use crate::document::{document, line};

/// Nothing to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {}

#[derive(Debug)]
pub(crate) struct Stdout;

impl Settings for Config {
    fn build(&self, _: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        Ok(Box::new(Stdout))
    }
}

/// One line for each item, each ended. Values are exact; no character in it does anything to a terminal.
pub(crate) fn render(notice: &Notice) -> Vec<u8> {
    let mut out = Vec::new();
    for item in &notice.items {
        out.extend(line(&document(notice, item)));
        out.push(b'\n');
    }
    out
}

#[async_trait]
impl Channel for Stdout {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        String::from_utf8_lossy(&render(notice)).into_owned()
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        write(render(notice)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    /// Title, summary and where the rest lies.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        write(lines(bulletin).into_bytes()).await
    }
}

async fn write(lines: Vec<u8>) -> Result<Receipt, Failed> {
    let write = move || {
        // At once, so that lines of several deliveries do not mix.
        let mut out = std::io::stdout().lock();
        out.write_all(&lines)?;
        out.flush()
    };
    let written = tokio::task::spawn_blocking(write).await;
    let why = match written {
        Ok(Ok(())) => return Ok(Receipt::default()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Failed::ForNow {
        why: format!("standard output: {why}"),
        wait: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::render;
    use crate::testing;

    #[test]
    fn each_alert_is_a_line() {
        let text = String::from_utf8(render(&testing::group(3))).unwrap();
        assert!(text.ends_with('\n'));
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let severities: Vec<&Value> = lines
            .iter()
            .map(|line| &line["alert"]["severity"])
            .collect();
        assert_eq!(severities, ["Critical", "High", "Medium"]);
    }

    #[test]
    fn a_report_is_a_few_lines() {
        let lines = crate::bulletin::lines(&testing::report());
        testing::golden("report-stdout.txt", &lines);
    }
}
