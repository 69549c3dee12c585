//! Checks of the organization, Region by Region, as its GuardDuty administrator sees it: do findings arise, and do they arrive?

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use futures::StreamExt;
use ingest::guardduty::events::{FindingRule, finding_rules};
use ingest::guardduty::{CallError, Detector, GuardDuty, Member, Organization, regions};
use jobs::{Given, Kind, Library, Limits, Session};

use super::lake::ago;
use super::{Row, allow, limited, within};
use crate::args::Doctor;
use crate::settings::Settings;
use crate::wire_up;

/// Regions at once.
const AT_ONCE: usize = 8;
/// A list of members has fifty a page.
const MEMBERS: Duration = Duration::from_secs(60);
/// Members that are named.
const NAMED: usize = 5;
/// How far back findings of a Region are looked for in the lake, in microseconds.
const HEARD: i64 = 90 * 86_400_000_000;

pub(super) async fn rows(doctor: &Doctor, settings: &Settings, now: i64) -> Vec<Row> {
    if !doctor.aws {
        return Vec::new();
    }
    let config = wire_up::aws().await;
    let all = doctor.regions == ["all"];
    let names = match all {
        false => doctor.regions.clone(),
        true => {
            const CHECK: &str = "organization: Regions";
            match limited(CHECK, regions(&wire_up::account(&config))).await {
                Ok(Ok(names)) => names,
                Ok(Err(error)) => {
                    let remedy = match is_denied(&error) {
                        true => allow(&[error.call], "*"),
                        false => "name the Regions: --regions eu-west-1,us-east-1".to_owned(),
                    };
                    return vec![Row::failed(CHECK, error.to_string(), remedy)];
                }
                Err(row) => return vec![row],
            }
        }
    };
    let heard = heard(settings, now).await;
    let look = Look {
        all,
        exports: settings.exports.from.is_some(),
        stream: settings.stream.name.is_some() || settings.exports.from.is_none(),
        heard: heard.as_ref().ok(),
        now,
    };
    let one = |name: String| {
        let guardduty = GuardDuty::new(name.clone(), wire_up::guardduty_asked(&config, &name));
        let events = wire_up::eventbridge(&config, &name);
        let look = &look;
        async move { look.region(&guardduty, &events).await }
    };
    let regions = futures::stream::iter(names).map(one).buffered(AT_ONCE);
    let mut rows: Vec<Row> = regions.collect::<Vec<_>>().await.concat();
    if let Err(why) = heard {
        rows.push(Row::skipped("organization: findings in the lake", why));
    }
    rows
}

fn is_denied(error: &CallError) -> bool {
    (error.code.as_deref()).is_some_and(|code| code.starts_with("AccessDenied"))
}

/// What is looked at, and what the lake knows.
struct Look<'a> {
    /// All Regions were asked for: one without GuardDuty is told, and no failure.
    all: bool,
    exports: bool,
    stream: bool,
    /// The newest finding of each Region, by event time, UTC microseconds.
    heard: Option<&'a BTreeMap<String, i64>>,
    now: i64,
}

impl Look<'_> {
    async fn region(
        &self,
        guardduty: &GuardDuty,
        events: &aws_sdk_eventbridge::Client,
    ) -> Vec<Row> {
        let region = guardduty.region();
        let check = |what: &str| format!("{region}: {what}");
        let detector = match limited(&check("detector"), guardduty.detector()).await {
            Ok(Ok(Some(detector))) => detector,
            Ok(Ok(None)) => return vec![off(region, self.all)],
            Ok(Err(error)) => return vec![refused(&check("detector"), &error)],
            Err(row) => return vec![row],
        };
        let mut rows = Vec::new();
        let mut add = |what: &str, said: Result<Result<Vec<Row>, CallError>, Row>| {
            rows.extend(match said {
                Ok(Ok(rows)) => rows,
                Ok(Err(error)) => vec![refused(&check(what), &error)],
                Err(row) => vec![row],
            });
        };
        let said = limited(&check("detector"), guardduty.describe(&detector)).await;
        let said = said.map(|said| said.map(|said| of_detector(region, &detector, &said)));
        add("detector", said);
        let said = limited(&check("administrator"), guardduty.organization(&detector)).await;
        let said = said
            .map(|said| said.map(|said| vec![of_organization(region, &detector, said.as_ref())]));
        add("administrator", said);
        let said = within(MEMBERS, &check("members"), guardduty.members(&detector)).await;
        let said = said.map(|said| said.map(|said| vec![of_members(region, &detector, &said)]));
        add("members", said);
        if self.exports {
            let said = limited(&check("export"), guardduty.exports(&detector)).await;
            add(
                "export",
                said.map(|said| said.map(|said| vec![of_exports(region, &said)])),
            );
        }
        if self.stream {
            let said = limited(&check("events"), finding_rules(events)).await;
            add(
                "events",
                said.map(|said| said.map(|said| vec![of_rules(region, &said)])),
            );
        }
        if let Some(heard) = self.heard {
            let newest = heard
                .get(region)
                .map(|at| (self.now - at).max(0) / 1_000_000);
            rows.push(of_heard(region, &detector, newest));
        }
        rows
    }
}

/// A call that was refused: the statement that is missing, or what AWS said.
fn refused(check: &str, error: &CallError) -> Row {
    let remedy = match error.code.as_deref() {
        Some(code) if code.starts_with("AccessDenied") => allow(&[error.call], "*"),
        Some("UnrecognizedClientException" | "InvalidClientTokenId" | "AuthFailure") => {
            "opt in to the Region, or leave it out with --regions; if no Region answers, renew the credentials".to_owned()
        }
        _ => "look at the network between here and AWS, and whether the Region has the service".to_owned(),
    };
    Row::failed(check, error.to_string(), remedy)
}

fn off(region: &str, all: bool) -> Row {
    let check = format!("{region}: detector");
    let seen = "GuardDuty is off: nothing is looked for here";
    let remedy = format!(
        "from the management account: aws guardduty enable-organization-admin-account --region {region} --admin-account-id ACCOUNT; or deny the Region to all accounts"
    );
    match all {
        true => Row::warning(&check, seen, remedy),
        false => Row::failed(&check, seen, remedy),
    }
}

pub(super) fn of_detector(region: &str, id: &str, detector: &Detector) -> Vec<Row> {
    let of = format!("--region {region} --detector-id {id}");
    let check = format!("{region}: detector");
    let state = match detector.status.as_str() {
        "ENABLED" => Row::ok(&check, format!("{id}, ENABLED")),
        other => Row::failed(
            &check,
            format!("{id}, {other}: no findings arise"),
            format!("aws guardduty update-detector {of} --enable"),
        ),
    };
    let check = format!("{region}: updates");
    let every = detector.frequency.as_str();
    let updates = match every {
        "FIFTEEN_MINUTES" => Row::ok(&check, every),
        _ => {
            let late = match every {
                "ONE_HOUR" => "an hour",
                _ => "6 hours",
            };
            let seen = format!("{every}: that a finding goes on is told up to {late} late");
            let remedy = format!(
                "aws guardduty update-detector {of} --finding-publishing-frequency FIFTEEN_MINUTES"
            );
            Row::warning(&check, seen, remedy)
        }
    };
    vec![state, updates]
}

pub(super) fn of_organization(
    region: &str,
    detector: &str,
    organization: Option<&Organization>,
) -> Row {
    let check = format!("{region}: administrator");
    let Some(organization) = organization else {
        let seen =
            "this account is not the delegated administrator: findings of others do not come here";
        let remedy = format!(
            "use the administrator's account, or make this one it from the management account: aws guardduty enable-organization-admin-account --region {region} --admin-account-id ACCOUNT"
        );
        return Row::failed(&check, seen, remedy);
    };
    let all = format!(
        "aws guardduty update-organization-configuration --region {region} --detector-id {detector} --auto-enable-organization-members ALL"
    );
    if organization.is_full {
        let seen = "it has as many members as it may";
        return Row::warning(
            &check,
            seen,
            "ask AWS Support for a higher quota of members",
        );
    }
    match organization.auto_enable.as_str() {
        "ALL" => Row::ok(&check, "this account; GuardDuty is switched on for ALL"),
        "NEW" => Row::ok(
            &check,
            "this account; GuardDuty is switched on for NEW accounts",
        ),
        other => {
            let seen = format!(
                "this account; GuardDuty is switched on for {other}: new accounts are not watched"
            );
            Row::warning(&check, seen, all)
        }
    }
}

pub(super) fn of_members(region: &str, detector: &str, members: &[Member]) -> Row {
    let check = format!("{region}: members");
    let lacking: Vec<&Member> = (members.iter())
        .filter(|member| !member.status.eq_ignore_ascii_case("Enabled"))
        .collect();
    let all = members.len();
    let Some(first) = lacking.first() else {
        return match all {
            0 => Row::warning(
                &check,
                "there are none",
                format!(
                    "aws guardduty update-organization-configuration --region {region} --detector-id {detector} --auto-enable-organization-members ALL"
                ),
            ),
            _ => Row::ok(&check, format!("{all}, all Enabled")),
        };
    };
    let named: Vec<String> = (lacking.iter().take(NAMED))
        .map(|member| format!("{} ({})", member.account, member.status))
        .collect();
    let more = match lacking.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let seen = format!(
        "{} of {all} are not Enabled, their findings do not come: {}{more}",
        lacking.len(),
        named.join(", ")
    );
    let remedy = format!(
        "Disabled: aws guardduty start-monitoring-members --region {region} --detector-id {detector} --account-ids {}; Removed or Created: aws guardduty create-members, or update-organization-configuration --auto-enable-organization-members ALL",
        first.account
    );
    Row::warning(&check, seen, remedy)
}

pub(super) fn of_exports(region: &str, states: &[String]) -> Row {
    let check = format!("{region}: export");
    let guide = "make it in the GuardDuty console, Settings, Findings export options; bucket and key must let GuardDuty in";
    match states.first().map(String::as_str) {
        None => Row::failed(&check, "nothing is exported from here", guide),
        Some("PUBLISHING") => Row::ok(&check, "PUBLISHING"),
        Some("PENDING_VERIFICATION") => {
            Row::warning(&check, "PENDING_VERIFICATION", "wait a few minutes")
        }
        Some(state) => Row::failed(&check, state, format!("mend the export: {guide}")),
    }
}

pub(super) fn of_rules(region: &str, rules: &[FindingRule]) -> Row {
    let check = format!("{region}: events");
    let member = "deploy deploy/cloudformation/member.yaml here (hub.yaml in the Region of the stream): docs/deploy.md";
    let passing: Vec<&FindingRule> = rules.iter().filter(|rule| rule.passes_on()).collect();
    if let Some(rule) = passing.iter().find(|rule| !rule.narrow) {
        return Row::ok(&check, format!("rule {} passes findings on", rule.name));
    }
    if let Some(rule) = passing.first() {
        let seen = format!("rule {} passes on some findings only", rule.name);
        return Row::warning(
            &check,
            seen,
            "let its pattern ask for nothing but source and detail-type; what is not to ring is hidden in guardlake",
        );
    }
    if let Some(rule) = rules.iter().find(|rule| !rule.enabled) {
        let remedy = format!(
            "aws events enable-rule --region {region} --name {}",
            rule.name
        );
        return Row::failed(&check, format!("rule {} is DISABLED", rule.name), remedy);
    }
    let seen = match rules.first() {
        Some(rule) => format!("rule {} goes neither to a stream nor to a bus", rule.name),
        None => "no rule of the default bus names findings of GuardDuty".to_owned(),
    };
    Row::failed(&check, seen, member)
}

pub(super) fn of_heard(region: &str, detector: &str, seconds: Option<i64>) -> Row {
    let check = format!("{region}: findings");
    match seconds {
        Some(seconds) => Row::ok(
            &check,
            format!("the newest in the lake is of {} ago", ago(seconds)),
        ),
        None => Row::warning(
            &check,
            "none of the last 90 days is in the lake: nothing happened, or nothing arrives",
            format!(
                "aws guardduty create-sample-findings --region {region} --detector-id {detector}, and look again in five minutes; what was before: guardlake backfill --regions {region}"
            ),
        ),
    }
}

/// The newest finding of each Region, as the trend `regions` has it; or why it cannot be said.
async fn heard(settings: &Settings, now: i64) -> Result<BTreeMap<String, i64>, String> {
    let work = within(MEMBERS, "organization: findings in the lake", async {
        let lake = wire_up::lake(settings).await;
        let lake = lake.map_err(|failure| failure.text().to_owned())?;
        let library = Library::built_in();
        let scripts = library.scripts(Kind::Trend).map_err(|e| e.to_string())?;
        let script = scripts
            .iter()
            .find(|script| script.source.name == "regions");
        let script = script.ok_or("there is no trend regions")?;
        let session = Session::open(&lake, &library, &Limits::default()).await;
        let session = session.map_err(|e| e.to_string())?;
        let given: Given = [
            ("from".to_owned(), alerts::rfc3339(now - HEARD)),
            ("to".to_owned(), alerts::rfc3339(now + HEARD)),
            ("samples".to_owned(), "true".to_owned()),
        ]
        .into();
        let answer = session.run(script, &given).await;
        let batches = answer.map_err(|e| e.to_string())?.collect().await;
        let mut heard = BTreeMap::new();
        for batch in batches.map_err(|e| e.to_string())? {
            let column = |name: &str| {
                let column = batch.column_by_name(name);
                column.ok_or_else(|| format!("the trend has no column {name}"))
            };
            let names = arrow::compute::cast(column("region")?, &arrow::datatypes::DataType::Utf8);
            let names = names.map_err(|e| e.to_string())?;
            let names = names.as_string::<i32>();
            let Some(times) = column("last_seen")?.as_primitive_opt::<TimestampMicrosecondType>()
            else {
                return Err("the trend gives other columns".to_owned());
            };
            for row in (0..batch.num_rows()).filter(|row| times.is_valid(*row)) {
                heard.insert(names.value(row).to_owned(), times.value(row));
            }
        }
        Ok(heard)
    });
    work.await.unwrap_or_else(|row| Err(row.seen))
}
