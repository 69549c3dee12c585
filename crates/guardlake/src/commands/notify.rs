//! `guardlake notify`: who would be told of an alert and how, what is owed, and deliveries that were given up once more.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alerts::outbox::{DeliveryRow, Patience, Step};
use alerts::{AccountNotes, Alert, Event, Item, Notice, Routed, Rule, RuleNotes, TopValues};
use async_trait::async_trait;
use jobs::{AtHand, Library, Limits, Session, Top};
use lake::{AlertCommit, Ids, Lake, Table};
use metrics::counter;
use notifier::{Evidence, Notifier, NotifierOptions, Outside, Report, Setup, Takes};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{alert::enabled_rules, library};
use crate::args::{Format, Notify};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::{output, wire_up};

/// How long a look at the lake serves: files that it names may go some day.
const HELD: Duration = Duration::from_secs(60);
/// How long one run waits for receivers.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    args: Notify,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    match args {
        Notify::Check { file } => check(settings, file.file.as_deref()),
        Notify::Test { id, file, rules } => {
            let library = library(settings, rules.rules.as_deref())?;
            test(settings, file.file.as_deref(), &library, id.as_deref()).await
        }
        Notify::Replay { channel } => replay(settings, channel.as_deref()).await,
        Notify::Owed => owed(settings, format).await,
    }
}

/// The file that says who is told; `None` where there is none.
pub(crate) fn setup(settings: &Settings, given: Option<&Path>) -> Result<Option<Setup>, Failure> {
    let Some(path) = given.or(settings.notify.file.as_deref()) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
    let setup = Setup::parse(&path.display().to_string(), &text);
    setup
        .map(Some)
        .map_err(|error| Failure::usage(error.to_string()))
}

fn needed(settings: &Settings, given: Option<&Path>) -> Result<Setup, Failure> {
    setup(settings, given)?.ok_or_else(|| {
        Failure::usage(
            "which channels and routes? give --file FILE (or notify.file in guardlake.yaml)",
        )
    })
}

/// A notifier of a lake, for those who tell people. What is `at_hand` it looks at first.
pub(crate) async fn notifier(
    lake: &Lake,
    setup: Setup,
    library: &Library,
    settings: &Settings,
    at_once: bool,
    at_hand: &[AtHand],
) -> Result<Notifier, Failure> {
    let mut patience = Patience::default();
    if let Some(text) = &settings.notify.in_doubt {
        patience.in_doubt =
            micros(text).map_err(|e| Failure::usage(format!("notify.in_doubt: {e}")))?;
    }
    let channels = setup
        .build(&Outside::real(wire_up::system_time))
        .map_err(|error| Failure::usage(error.to_string()))?;
    let rules = enabled_rules(library)?;
    let evidence = Arc::new(Rows::of(lake, library, at_hand));
    let options = NotifierOptions {
        patience,
        worker: Ids::random().uuid().to_string(),
        at_once,
    };
    Ok(Notifier::open(lake.clone(), setup, channels, &rules, evidence, options).await?)
}

/// Tells what is owed now, without waiting for others of a group; what does not come through stays owed.
pub(crate) async fn flush(notifier: &mut Notifier) -> Result<Report, Failure> {
    let began = tokio::time::Instant::now();
    let mut all = Report::default();
    loop {
        let report = notifier.tick(wire_up::now()).await?;
        all = all.and(report);
        if !notifier.is_sending() && report.started == 0 {
            break;
        }
        if began.elapsed() > LONGEST {
            note("receivers take too long; what is still owed is told by the next run");
            break;
        }
        notifier.wait(Duration::from_millis(500)).await;
    }
    Ok(all.and(notifier.drain(Duration::ZERO, wire_up::now).await?))
}

/// What alerts rest on, asked of the rows at hand or else of the lake.
struct Rows {
    lake: Lake,
    library: Library,
    at_hand: Vec<AtHand>,
    /// The newest look at the lake: alerts come in swarms.
    session: Mutex<Option<(Instant, Arc<Session>)>>,
}

impl Rows {
    fn of(lake: &Lake, library: &Library, at_hand: &[AtHand]) -> Rows {
        Rows {
            lake: lake.clone(),
            library: library.clone(),
            at_hand: at_hand.to_vec(),
            session: Mutex::default(),
        }
    }

    /// A look at the lake that sees at least this version of `findings`.
    async fn session(&self, version: i64) -> Result<Arc<Session>, jobs::JobsError> {
        let mut held = self.session.lock().await;
        if let Some((opened, session)) = held.as_ref()
            && opened.elapsed() < HELD
            && session.version(Table::Findings) >= Some(version)
        {
            return Ok(Arc::clone(session));
        }
        let session = Session::open(&self.lake, &self.library, &Limits::default()).await?;
        let session = Arc::new(session);
        *held = Some((Instant::now(), Arc::clone(&session)));
        Ok(session)
    }

    async fn looked_up(&self, alert: &Alert) -> Result<Vec<Top>, jobs::JobsError> {
        for at_hand in &self.at_hand {
            if let Some(tops) = at_hand.top_values(alert).await {
                counter!("guardlake_evidence_total", "from" => "memory").increment(1);
                return Ok(tops);
            }
        }
        counter!("guardlake_evidence_total", "from" => "lake").increment(1);
        let session = self.session(alert.findings_version).await?;
        let tops = session.top_values(&alert.sql).await;
        tops.map_err(|error| jobs::JobsError::Query {
            file: alert.rule.clone(),
            text: alert.sql.as_str().into(),
            error,
        })
    }
}

#[async_trait]
impl Evidence for Rows {
    async fn top(&self, alert: &Alert) -> Vec<TopValues> {
        match self.looked_up(alert).await {
            Ok(tops) => (tops.into_iter())
                .map(|top| TopValues {
                    column: top.column,
                    values: top.values,
                })
                .collect(),
            Err(error) => {
                tracing::warn!(
                    alert = alert.alert_id,
                    error = lake::in_one_line(&error),
                    "the rows behind an alert cannot be looked at"
                );
                Vec::new()
            }
        }
    }
}

fn check(settings: &Settings, file: Option<&Path>) -> Result<ExitCode, Failure> {
    let setup = needed(settings, file)?;
    let mut out = std::io::stdout().lock();
    for (name, kind) in setup.channels() {
        writeln!(out, "channel {name}: {kind}")?;
    }
    for stop in setup.routes().stops() {
        let channels = match stop.channels.is_empty() {
            true => "nobody".to_owned(),
            false => stop.channels.join(", "),
        };
        writeln!(out, "route {}: {channels}", stop.path)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn test(
    settings: &Settings,
    file: Option<&Path>,
    library: &Library,
    id: Option<&str>,
) -> Result<ExitCode, Failure> {
    let setup = needed(settings, file)?;
    let channels = setup
        .build(&Outside::real(wire_up::system_time))
        .map_err(|error| Failure::usage(error.to_string()))?;
    let lake = wire_up::lake(settings).await?;
    let all = alerts::fold(lake.alert_events().await?);
    let alert = match id {
        Some(id) => alerts::find(&all, id).map_err(Failure::usage)?.clone(),
        None => (all.iter().max_by_key(|alert| alert.changed_at))
            .ok_or_else(|| Failure::usage("the lake has no alerts yet"))?
            .clone(),
    };
    let rules: BTreeMap<String, Rule> = (enabled_rules(library)?.into_iter())
        .map(|rule| (rule.id.clone(), rule))
        .collect();
    let rule = rules.get(&alert.rule);
    let known: BTreeMap<String, lake::AccountRow> = (lake.accounts().await?.into_iter())
        .map(|row| (row.account_id.clone(), row))
        .collect();
    let accounts: Vec<AccountNotes> = (alert.accounts.iter())
        .map(|id| {
            let row = known.get(id);
            AccountNotes {
                account_id: id.clone(),
                name: row.and_then(|row| row.name.clone()),
                ou: row.and_then(|row| row.ou.clone()),
                owner: row.and_then(|row| row.owner.clone()),
            }
        })
        .collect();
    let top = Rows::of(&lake, library, &[]).top(&alert).await;
    let tags: &[String] = rule.map_or(&[], |rule| &rule.tags);
    let mut out = std::io::stdout().lock();
    let routed = Routed {
        alert: &alert,
        tags,
        accounts: &accounts,
    };
    for stop in setup.routes().of(&routed) {
        writeln!(out, "route {}", stop.path)?;
        for name in &stop.channels {
            let Some(channel) = channels.get(name) else {
                continue;
            };
            let notice = Notice {
                key: "a-test".to_owned(),
                thread: alert.alert_id.clone(),
                route: stop.path.clone(),
                group: match channel.takes() {
                    Takes::Alerts => Vec::new(),
                    Takes::Groups => stop.group_of(&alert),
                },
                at: alert.changed_at,
                items: vec![Item {
                    event: Event::Opened,
                    alert: alert.clone(),
                    rule: notes(rule),
                    accounts: accounts.clone(),
                    top: top.clone(),
                }],
            };
            writeln!(out, "channel {name}")?;
            for line in channel.preview(&notice).lines() {
                writeln!(out, "  {line}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn notes(rule: Option<&Rule>) -> RuleNotes {
    rule.map_or_else(RuleNotes::default, notifier::rule_notes)
}

/// Owes again what was given up.
async fn replay(settings: &Settings, channel: Option<&str>) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    let worker = Ids::random().uuid().to_string();
    loop {
        let (version, _) = lake.deliveries_version().await?;
        let rows = lake.deliveries().await?;
        let again = dead(&rows, channel, wire_up::now(), &worker);
        if again.is_empty() {
            note("nothing was given up");
            return Ok(ExitCode::SUCCESS);
        }
        let committed = lake.append_deliveries(version, &again, None).await?;
        if matches!(committed, AlertCommit::Committed { .. }) {
            note(&format!("{} deliveries are owed again", again.len()));
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Rows that queue again what was given up and not told since.
fn dead(rows: &[DeliveryRow], channel: Option<&str>, now: i64, worker: &str) -> Vec<DeliveryRow> {
    let mut given_up: BTreeMap<&str, &DeliveryRow> = BTreeMap::new();
    for row in rows {
        let of_channel = channel.is_none_or(|name| row.channel == name);
        match row.step {
            Step::Dead if of_channel => {
                given_up.insert(&row.delivery_id, row);
            }
            Step::Sent => {
                given_up.remove(row.delivery_id.as_str());
            }
            // Owed again already.
            Step::Queued if row.reason.starts_with(AGAIN) => {
                given_up.retain(|_, dead| dead.lane() != row.lane() || dead.items != row.items);
            }
            _ => {}
        }
    }
    let again = |row: &DeliveryRow| DeliveryRow {
        delivery_id: String::new(),
        step: Step::Queued,
        at: now,
        attempt: 0,
        due: None,
        reason: format!("{AGAIN}, after {}", row.reason),
        worker: worker.to_owned(),
        ..row.clone()
    };
    given_up.into_values().map(again).collect()
}

/// Begins the reason of what was asked for once more.
const AGAIN: &str = "told again";

async fn owed(settings: &Settings, format: Format) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    let mut outbox = alerts::outbox::Outbox::default();
    let rows = lake.deliveries().await?;
    rows.iter().for_each(|row| outbox.apply(row));
    let mut dead: BTreeMap<&str, usize> = BTreeMap::new();
    let given_up = self::dead(&rows, None, 0, "");
    for row in &given_up {
        *dead.entry(&row.channel).or_default() += 1;
    }
    let owed = outbox.owed();
    let channels: std::collections::BTreeSet<&str> =
        owed.keys().chain(dead.keys()).copied().collect();
    let rows: Vec<Value> = (channels.into_iter())
        .map(|channel| {
            let (waiting, begun) = owed.get(channel).copied().unwrap_or_default();
            json!({
                "channel": channel,
                "waiting": waiting,
                "begun": begun,
                "given_up": dead.get(channel).copied().unwrap_or_default(),
            })
        })
        .collect();
    let columns = ["channel", "waiting", "begun", "given_up"];
    output::values(&rows, &columns, format)?;
    Ok(ExitCode::SUCCESS)
}
