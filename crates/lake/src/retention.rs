//! How long findings are kept: all of them, those of a severity, those of an account.

use std::collections::BTreeMap;

use finding::Label;
use sha2::{Digest, Sha256};

use crate::upkeep::DAY;

/// How long findings are kept, by the time of their event. Where several periods could be meant, that of the account counts, else
/// that of the severity, else that of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days of all findings; for ever if `None`.
    all: Option<u16>,
    /// Days by severity label.
    labels: BTreeMap<String, u16>,
    /// Days by account.
    accounts: BTreeMap<String, u16>,
}

impl Retention {
    /// Reads `400d`, or `400d, low=90d, informational=30d, 111122223333=730d`; the plain period is that of all findings.
    ///
    /// # Errors
    /// The part that cannot be read.
    pub fn parse(text: &str) -> Result<Retention, String> {
        let mut retention = Retention::default();
        for part in text.split([',', ' ', '\n']).filter(|part| !part.is_empty()) {
            let (what, period) = match part.split_once('=') {
                Some((what, period)) => (Some(what.trim()), period.trim()),
                None => (None, part),
            };
            let days = period.strip_suffix('d').and_then(|days| days.parse().ok());
            let days: u16 = days.filter(|days| *days > 0).ok_or_else(|| {
                format!("`{period}` in `{part}` is not a number of days such as 400d")
            })?;
            let before = match what {
                None => retention.all.replace(days),
                Some(account)
                    if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    retention.accounts.insert(account.to_owned(), days)
                }
                Some(word) => match Label::from_word(word) {
                    Some(label) => retention.labels.insert(label.as_str().to_owned(), days),
                    None => {
                        return Err(format!(
                            "`{word}` is neither a severity (informational, low, medium, high, critical) nor twelve digits of an account"
                        ));
                    }
                },
            };
            if before.is_some() {
                return Err(format!("`{part}`: said twice"));
            }
        }
        Ok(retention)
    }

    /// Whether nothing ever expires.
    pub fn is_for_ever(&self) -> bool {
        *self == Retention::default()
    }

    /// Whether a finding is kept at `now`; times are UTC microseconds. Findings of which no time is known are.
    pub fn keeps(&self, time: Option<i64>, account: &str, label: Option<&str>, now: i64) -> bool {
        let days = self
            .accounts
            .get(account)
            .or_else(|| self.labels.get(label?))
            .or(self.all.as_ref());
        match (time, days) {
            (Some(time), Some(days)) => time >= now.saturating_sub(i64::from(*days) * DAY),
            _ => true,
        }
    }

    /// Eight letters that another retention does not have.
    pub(crate) fn mark(&self) -> String {
        let digest = Sha256::digest(format!("{self:?}"));
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// All periods, in days, the longest first.
    pub(crate) fn periods(&self) -> Vec<u16> {
        let periods = self.labels.values().chain(self.accounts.values());
        let mut periods: Vec<u16> = periods.chain(&self.all).copied().collect();
        periods.sort_unstable_by(|a, b| b.cmp(a));
        periods.dedup();
        periods
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_counts_before_the_severity_and_that_before_all() {
        let retention = Retention::parse("10d, low=3d\nLow2=1d").unwrap_err();
        assert!(retention.contains("`Low2` is neither"), "{retention}");
        let retention = Retention::parse("10d, low=3d 111122223333=20d,").unwrap();
        let kept = |days: i64, account: &str, label: &str| {
            retention.keeps(Some(-days * DAY), account, Some(label), 0)
        };
        assert!(kept(10, "1", "High") && !kept(11, "1", "High"));
        assert!(kept(3, "1", "Low") && !kept(4, "1", "Low"));
        assert!(kept(20, "111122223333", "Low") && !kept(21, "111122223333", "Low"));
        assert!(retention.keeps(None, "1", None, 0));
        assert_eq!(retention.periods(), [20, 10, 3]);
        assert!(Retention::parse("").unwrap().is_for_ever());
    }

    #[test]
    fn mistakes_are_told() {
        for (text, why) in [
            ("400", "`400` in `400` is not a number of days"),
            ("0d", "is not a number of days"),
            ("1d 2d", "`2d`: said twice"),
            ("low=1d low=2d", "`low=2d`: said twice"),
            ("12=1d", "`12` is neither a severity"),
        ] {
            let told = Retention::parse(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
