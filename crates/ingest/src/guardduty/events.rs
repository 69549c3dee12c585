//! Which rules of EventBridge's default bus pass findings on. Templates give rules no names of their own, so they are known by their patterns.

use aws_sdk_eventbridge::Client;
use serde::Deserialize;

use super::{CallError, refused};

/// A rule whose pattern means findings of GuardDuty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRule {
    /// Its name.
    pub name: String,
    /// Events take it.
    pub enabled: bool,
    /// It means some findings only: its pattern asks for more than source and type of the event.
    pub narrow: bool,
    /// ARNs that it puts events to.
    pub targets: Vec<String>,
}

impl FindingRule {
    /// Whether findings go into a stream, or to another bus, by it.
    pub fn passes_on(&self) -> bool {
        let kinds = [":kinesis:", ":event-bus/"];
        let is_ours = |arn: &String| kinds.iter().any(|kind| arn.contains(kind));
        self.enabled && self.targets.iter().any(is_ours)
    }
}

/// The rules of the default bus that mean findings.
///
/// # Errors
/// [`CallError`] with the remedy.
pub async fn finding_rules(client: &Client) -> Result<Vec<FindingRule>, CallError> {
    let mut rules = Vec::new();
    let mut token = None;
    loop {
        let page = client.list_rules().set_next_token(token).send().await;
        let page = page.map_err(|error| refused("events:ListRules", &error))?;
        for rule in page.rules() {
            let pattern = rule.event_pattern().unwrap_or_default();
            let (Some(name), Some(narrow)) = (rule.name(), meant(pattern)) else {
                continue;
            };
            rules.push(FindingRule {
                name: name.to_owned(),
                enabled: rule
                    .state()
                    .is_some_and(|state| state.as_str() != "DISABLED"),
                narrow,
                targets: targets(client, name).await?,
            });
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(rules);
        }
    }
}

/// A rule has five targets at most (EventBridge quotas): one page.
async fn targets(client: &Client, rule: &str) -> Result<Vec<String>, CallError> {
    let page = client.list_targets_by_rule().rule(rule).send().await;
    let page = page.map_err(|error| refused("events:ListTargetsByRule", &error))?;
    let arns = page.targets().iter().map(|target| target.arn.clone());
    Ok(arns.collect())
}

/// Whether a pattern means findings, and if so whether only some of them.
fn meant(pattern: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct Pattern {
        source: Option<Vec<serde_json::Value>>,
        #[serde(rename = "detail-type")]
        detail_type: Option<Vec<serde_json::Value>>,
        #[serde(flatten)]
        more: std::collections::BTreeMap<String, serde_json::Value>,
    }
    let pattern: Pattern = serde_json::from_str(pattern).ok()?;
    let has = |values: &Option<Vec<serde_json::Value>>, text: &str| {
        (values.as_ref()).is_none_or(|values| values.iter().any(|value| value == text))
    };
    let means =
        has(&pattern.source, "aws.guardduty") && has(&pattern.detail_type, "GuardDuty Finding");
    let says = pattern.source.is_some() || pattern.detail_type.is_some();
    (means && says).then_some(!pattern.more.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_findings_are_known_by_their_patterns() {
        for (pattern, expected) in [
            (
                r#"{"source":["aws.guardduty"],"detail-type":["GuardDuty Finding"]}"#,
                Some(false),
            ),
            (r#"{"source":["aws.s3","aws.guardduty"]}"#, Some(false)),
            (
                r#"{"source":["aws.guardduty"],"detail":{"severity":[{"numeric":[">=",7]}]}}"#,
                Some(true),
            ),
            (
                r#"{"source":["aws.guardduty"],"detail-type":["AWS API Call via CloudTrail"]}"#,
                None,
            ),
            (r#"{"source":["aws.ec2"]}"#, None),
            (r#"{"account":["111122223333"]}"#, None),
            ("", None),
        ] {
            assert_eq!(meant(pattern), expected, "{pattern}");
        }
    }
}
