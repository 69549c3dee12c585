//! Follows the alert log, logs what is owed, and sends it. All that must be remembered is in the lake: a process can be killed at any
//! instruction, and what it had begun is begun again by whoever comes next.

mod book;
mod looked_up;
mod publish;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use alerts::outbox::{self, DeliveryRow, Due, Ended, Happened, Patience, Queue, Step};
use alerts::{Alert, Item, Notice, Routed, Rule, RuleNotes, TopValues};
use async_trait::async_trait;
use futures::FutureExt;
use lake::{AlertCommit, Lake, LakeError, Table};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::channel::{Channel, Failed, Receipt};
use crate::file::{Built, Setup, one_by_one};
use book::Book;
use looked_up::LookedUp;

/// How often somebody else may write to the log of deliveries first.
const ATTEMPTS: u32 = 50;
/// Requests to one channel at once.
const AT_ONCE: usize = 4;
/// Deliveries of one channel that are begun in one commit, and wait for each other then.
const BEGUN: usize = 32;
/// No attempt takes longer, whatever a channel does.
const LONGEST: Duration = Duration::from_secs(60);
/// The most frequent values are looked up for as many alerts of a notice, and for no longer.
const LOOKED_UP: usize = 3;
const LOOKING: Duration = Duration::from_secs(10);

/// Looks at the rows behind an alert.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// The most frequent values among the rows that an alert rests on; nothing where that cannot be said.
    async fn top(&self, alert: &Alert) -> Vec<TopValues>;
}

/// How a [`Notifier`] goes about it.
#[derive(Debug, Clone)]
pub struct NotifierOptions {
    /// How long things are waited for.
    pub patience: Patience,
    /// The name of this process; no other has it.
    pub worker: String,
    /// Do not wait for others of a group.
    pub at_once: bool,
}

/// What a [`Notifier::tick`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Items that are owed now.
    pub queued: usize,
    /// Attempts that began.
    pub started: usize,
    /// Deliveries that came through.
    pub sent: usize,
    /// Attempts that did not.
    pub failed: usize,
    /// Deliveries that were given up.
    pub dead: usize,
}

/// Tells people of alerts.
pub struct Notifier {
    lake: Lake,
    setup: Setup,
    channels: Built,
    rules: BTreeMap<String, RuleNotes>,
    evidence: Arc<dyn Evidence>,
    options: NotifierOptions,
    book: Book,
    /// The last version of the alert log that this process wrote.
    news: watch::Receiver<i64>,
    sending: JoinSet<(DeliveryRow, Ended)>,
    /// What is looked up while that it is sent is being logged.
    looking: JoinSet<()>,
    /// By channel: who may send, how many deliveries have begun, and until when it asked to be left alone.
    turns: BTreeMap<String, Arc<Semaphore>>,
    busy: BTreeMap<String, usize>,
    paused: BTreeMap<String, i64>,
    /// Ids of what is being sent, or was and is not logged yet.
    under_way: BTreeSet<String>,
    /// Outcomes that are not logged yet.
    unlogged: Vec<(DeliveryRow, Ended)>,
}

impl Notifier {
    /// Reads the logs. The first notifier of a lake begins with what is logged from now on.
    pub async fn open(
        lake: Lake,
        setup: Setup,
        channels: Built,
        rules: &[Rule],
        evidence: Arc<dyn Evidence>,
        options: NotifierOptions,
    ) -> Result<Notifier, LakeError> {
        let news = lake.commits(Table::AlertLog);
        let book = Book::open(&lake).await?;
        Ok(Notifier {
            news,
            lake,
            setup,
            rules: (rules.iter())
                .map(|rule| (rule.id.clone(), rule_notes(rule)))
                .collect(),
            evidence: LookedUp::of(evidence),
            options,
            book,
            sending: JoinSet::new(),
            looking: JoinSet::new(),
            turns: (channels.keys())
                .map(|name| (name.clone(), Arc::new(Semaphore::new(AT_ONCE))))
                .collect(),
            channels,
            under_way: BTreeSet::new(),
            busy: BTreeMap::new(),
            paused: BTreeMap::new(),
            unlogged: Vec::new(),
        })
    }

    /// How many items wait and how many deliveries have begun, by channel.
    pub fn owed(&self) -> BTreeMap<&str, (usize, usize)> {
        self.book.outbox.owed()
    }

    /// Whether sends of this process are under way.
    pub fn is_sending(&self) -> bool {
        !self.sending.is_empty() || !self.unlogged.is_empty()
    }

    /// Logs what is owed by now (UTC microseconds) and how sends ended, and begins those whose turn it is. Waits for no receiver.
    pub async fn tick(&mut self, now: i64) -> Result<Report, LakeError> {
        let mut report = Report::default();
        while let Some(ended) = self.sending.try_join_next() {
            self.unlogged.extend(ended.ok());
        }
        self.log_outcomes(now, &mut report).await?;
        watched::owed(self.channels.keys(), &self.book.outbox, now);
        for _ in 0..ATTEMPTS {
            self.book.follow(&self.lake).await?;
            let rows = self.queue(now);
            let begun = self.start(&rows, now);
            let moved = self.book.has_moved(now);
            if rows.is_empty() && begun.is_empty() && !moved {
                return Ok(report);
            }
            self.look_ahead(&begun);
            let all: Vec<DeliveryRow> = rows.iter().chain(&begun).cloned().collect();
            if !self.log(&all, Some(self.book.alert_log_version)).await? {
                continue;
            }
            self.book.planned(now);
            report.queued += rows.iter().filter(|row| row.step == Step::Queued).count();
            for row in begun {
                match row.step {
                    Step::Started if self.channels.contains_key(&row.channel) => {
                        report.started += 1;
                        self.send(row);
                    }
                    Step::Dead => report.dead += 1,
                    _ => {}
                }
            }
            self.book.forget();
            return Ok(report);
        }
        Err(self.contended())
    }

    /// Waits until one of the sends under way has ended, this process has written to the alert log, or for so long.
    pub async fn wait(&mut self, longest: Duration) {
        tokio::select! {
            Some(ended) = self.sending.join_next() => self.unlogged.extend(ended.ok()),
            Ok(()) = self.news.changed() => {}
            () = tokio::time::sleep(longest) => {}
        }
    }

    /// Lets the sends under way end, for so long at most, and logs how.
    pub async fn drain(
        &mut self,
        longest: Duration,
        now: impl Fn() -> i64,
    ) -> Result<Report, LakeError> {
        let mut report = Report::default();
        let all = async {
            while let Some(ended) = self.sending.join_next().await {
                self.unlogged.extend(ended.ok());
            }
        };
        let _ = tokio::time::timeout(longest, all).await;
        self.log_outcomes(now(), &mut report).await?;
        Ok(report)
    }

    fn queue(&self, now: i64) -> Vec<DeliveryRow> {
        let single = one_by_one(&self.channels);
        let by = Queue {
            routes: &self.setup.routes,
            one_by_one: &single,
            now,
            worker: &self.options.worker,
        };
        let accounts: Vec<_> = self
            .book
            .news()
            .map(|(_, _, alert)| self.book.notes(alert))
            .collect();
        let happened: Vec<Happened<'_>> = (self.book.news().zip(&accounts))
            .map(|((event, rings, alert), accounts)| Happened {
                routed: Routed {
                    alert,
                    tags: self.rules.get(&alert.rule).map_or(&[], |rule| &rule.tags),
                    accounts,
                },
                event,
                rings,
            })
            .collect();
        let mut rows = outbox::queue(&self.book.outbox, &happened, &by);
        rows.extend(outbox::repeat(&self.book.outbox, &by, |id| {
            self.book.alert(id)
        }));
        let unpublished = self.book.unpublished(now.saturating_sub(publish::MAX_AGE));
        let worker = &self.options.worker;
        rows.extend(unpublished.map(|(channel, row)| publish::queued(channel, row, now, worker)));
        rows
    }

    /// What begins now, given rows that are about to be logged.
    fn start(&self, queued: &[DeliveryRow], now: i64) -> Vec<DeliveryRow> {
        let mut outbox = std::borrow::Cow::Borrowed(&self.book.outbox);
        if !queued.is_empty() {
            queued.iter().for_each(|row| outbox.to_mut().apply(row));
        }
        let room = |(name, _): (&String, _)| {
            let busy = self.busy.get(name).copied().unwrap_or(0);
            let paused = self.paused.get(name).is_some_and(|until| *until > now);
            let room = if paused {
                0
            } else {
                BEGUN.saturating_sub(busy)
            };
            (name.clone(), room)
        };
        let muted = |name: &str| self.setup.mute_times.is_now(name, now);
        let single = match self.options.at_once {
            true => self.channels.keys().cloned().collect(),
            false => one_by_one(&self.channels),
        };
        let due = Due {
            routes: &self.setup.routes,
            one_by_one: &single,
            room: self.channels.iter().map(room).collect(),
            sending: &self.under_way,
            muted: &muted,
            patience: self.options.patience,
            now,
            worker: &self.options.worker,
        };
        outbox::start(&outbox, &due)
    }

    /// Logs rows, and through where the alert log is planned if that has moved. False where somebody else came first.
    async fn log(&mut self, rows: &[DeliveryRow], planned: Option<i64>) -> Result<bool, LakeError> {
        let on = self.book.version;
        match self.lake.append_deliveries(on, rows, planned).await? {
            AlertCommit::Committed { version } => {
                self.book.committed(version, rows);
                Ok(true)
            }
            AlertCommit::Conflict => Ok(false),
        }
    }

    /// Looks for the rows behind what is about to be sent: a commit takes as long. Sends find the answers there.
    fn look_ahead(&mut self, begun: &[DeliveryRow]) {
        while self.looking.try_join_next().is_some() {}
        for row in begun.iter().filter(|row| row.step == Step::Started) {
            for item in self.notice(row).items.into_iter().take(LOOKED_UP) {
                let evidence = Arc::clone(&self.evidence);
                self.looking.spawn(async move {
                    let _ = tokio::time::timeout(LOOKING, evidence.top(&item.alert)).await;
                });
            }
        }
    }

    fn send(&mut self, row: DeliveryRow) {
        let Some(channel) = self.channels.get(&row.channel).cloned() else {
            return;
        };
        let Some(turns) = self.turns.get(&row.channel).cloned() else {
            return;
        };
        *self.busy.entry(row.channel.clone()).or_default() += 1;
        self.under_way.insert(row.delivery_id.clone());
        let mut notice = self.notice(&row);
        let before = self
            .book
            .outbox
            .receipt(&row.lane())
            .map(|(reference, detail)| Receipt {
                reference: reference.map(str::to_owned),
                detail: detail
                    .and_then(|json| serde_json::from_str(json).ok())
                    .unwrap_or_default(),
            });
        let (evidence, lake) = (Arc::clone(&self.evidence), self.lake.clone());
        // Another process may take over what this one has begun and says nothing of.
        let patience = Duration::from_micros((self.options.patience.in_doubt / 2).max(0) as u64);
        self.sending.spawn(async move {
            let Ok(Ok(_turn)) = tokio::time::timeout(patience, turns.acquire_owned()).await else {
                return (row, Ended::NotMade);
            };
            if publish::is(&row) {
                let ended = publish::published(&lake, &*channel, &row).await;
                return (row, ended);
            }
            for item in notice.items.iter_mut().take(LOOKED_UP) {
                let looked = tokio::time::timeout(LOOKING, evidence.top(&item.alert)).await;
                item.top = looked.unwrap_or_default();
            }
            let ended = told(&*channel, &notice, before.as_ref()).await;
            (row, ended)
        });
    }

    /// What a row that says `started` tells.
    fn notice(&self, row: &DeliveryRow) -> Notice {
        let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
        for item in &row.items {
            let seq = newest.entry(&item.alert_id).or_insert(item.seq);
            *seq = item.seq.max(*seq);
        }
        let mut items: Vec<Item> = (newest.iter())
            .filter_map(|(id, seq)| {
                let (event, mut alert) = self.book.as_of(id, *seq)?;
                if !row.reason.is_empty() {
                    alert.reason = format!("{}; {}", row.reason, alert.reason);
                }
                Some(Item {
                    event,
                    rule: self.rules.get(&alert.rule).cloned().unwrap_or_default(),
                    accounts: self.book.notes(&alert),
                    top: Vec::new(),
                    alert,
                })
            })
            .collect();
        items.sort_by(|a, b| {
            let by = |item: &Item| (item.alert.severity, item.alert.changed_at);
            by(b)
                .cmp(&by(a))
                .then_with(|| a.alert.alert_id.cmp(&b.alert.alert_id))
        });
        Notice {
            key: row.delivery_id.clone(),
            thread: row.thread.clone(),
            route: row.route.clone(),
            group: row.group.clone(),
            at: items
                .iter()
                .map(|item| item.alert.changed_at)
                .max()
                .unwrap_or(row.at),
            items,
        }
    }

    async fn log_outcomes(&mut self, now: i64, report: &mut Report) -> Result<(), LakeError> {
        if self.unlogged.is_empty() {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            self.book.follow(&self.lake).await?;
            let rows: Vec<DeliveryRow> = (self.unlogged.iter())
                .flat_map(|(row, ended)| self.outcome(row, ended, now))
                .collect();
            if !self.log(&rows, None).await? {
                continue;
            }
            for (row, ended) in std::mem::take(&mut self.unlogged) {
                let alerts = row
                    .items
                    .iter()
                    .filter_map(|item| self.book.as_of(&item.alert_id, item.seq));
                watched::ended(
                    &row,
                    &ended,
                    alerts.map(|(_, alert)| alert.changed_at).min(),
                    now,
                );
                self.under_way.remove(&row.delivery_id);
                if let Some(busy) = self.busy.get_mut(&row.channel) {
                    *busy = busy.saturating_sub(1);
                }
                if let Ended::ForNow(_, Some(wait)) = &ended {
                    let until = now.saturating_add(*wait);
                    let paused = self.paused.entry(row.channel.clone()).or_insert(until);
                    *paused = until.max(*paused);
                }
            }
            for row in &rows {
                match row.step {
                    Step::Sent => report.sent += 1,
                    Step::Failed if row.due == Some(now) => {}
                    Step::Failed => {
                        report.failed += 1;
                        tracing::warn!(
                            channel = row.channel,
                            attempt = row.attempt,
                            why = row.reason,
                            "a delivery did not come through"
                        );
                    }
                    Step::Dead => {
                        report.dead += 1;
                        watched::given_up(&row.channel);
                        tracing::error!(
                            channel = row.channel,
                            why = row.reason,
                            "a delivery is given up; see `notify replay`"
                        );
                    }
                    _ => {}
                }
            }
            return Ok(());
        }
        Err(self.contended())
    }

    /// How a send ended, and what is owed to the channel for dead letters then.
    fn outcome(&self, row: &DeliveryRow, ended: &Ended, now: i64) -> Vec<DeliveryRow> {
        let spread = spread(&row.delivery_id, row.attempt);
        let patience = &self.options.patience;
        let ended = outbox::ended(&self.book.outbox, row, ended.clone(), patience, spread, now);
        let mut rows = Vec::new();
        if let (Step::Dead, Some(channel)) = (ended.step, &self.setup.dead_letters)
            && *channel != row.channel
        {
            let reason = format!(
                "could not be delivered to {}: {}",
                row.channel, ended.reason
            );
            let single = one_by_one(&self.channels).contains(channel);
            let queued = |thread: String, items| DeliveryRow {
                delivery_id: String::new(),
                step: Step::Queued,
                channel: channel.clone(),
                thread,
                items,
                attempt: 0,
                due: None,
                reason: reason.clone(),
                reference: None,
                detail: None,
                ..ended.clone()
            };
            match single {
                true => rows.extend(
                    row.items
                        .iter()
                        .map(|item| queued(item.alert_id.clone(), vec![item.clone()])),
                ),
                false => rows.push(queued(row.thread.clone(), row.items.clone())),
            }
        }
        rows.insert(0, ended);
        rows
    }

    fn contended(&self) -> LakeError {
        LakeError::Contention {
            uri: self.lake.table_url(Table::Deliveries),
            attempts: ATTEMPTS,
        }
    }
}

/// What a rule says of itself.
pub fn rule_notes(rule: &Rule) -> RuleNotes {
    RuleNotes {
        description: rule.description.clone(),
        tags: rule.tags.clone(),
        runbook: rule.runbook.clone(),
        owner: rule.owner.clone(),
        references: rule.references.clone(),
        false_positives: rule.false_positives.clone(),
    }
}

#[tracing::instrument(name = "delivery", skip_all, fields(route = notice.route))]
async fn told(channel: &dyn Channel, notice: &Notice, before: Option<&Receipt>) -> Ended {
    if notice.items.is_empty() {
        return Ended::ForGood("nothing is known of its alerts any more".to_owned());
    }
    attempted(channel.deliver(notice, before)).await
}

/// How an attempt ended, however it did.
async fn attempted(attempt: impl Future<Output = Result<Receipt, Failed>>) -> Ended {
    let micros = |wait: Duration| i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    match tokio::time::timeout(LONGEST, AssertUnwindSafe(attempt).catch_unwind()).await {
        // What it had done by then nobody knows.
        Ok(Err(_)) => Ended::ForNow(
            "the channel broke off: a mistake in guardlake, please report it with the log"
                .to_owned(),
            None,
        ),
        Ok(Ok(Ok(receipt))) => {
            let detail = (!receipt.detail.is_null()).then(|| receipt.detail.to_string());
            Ended::Sent(receipt.reference, detail)
        }
        Ok(Ok(Err(Failed::ForNow { why, wait }))) => Ended::ForNow(why, wait.map(micros)),
        Ok(Ok(Err(Failed::ForGood { why }))) => Ended::ForGood(why),
        Err(_) => Ended::ForNow(
            format!("no answer within {} seconds", LONGEST.as_secs()),
            None,
        ),
    }
}

/// Any number, another for each attempt.
fn spread(delivery_id: &str, attempt: i64) -> u64 {
    let bytes = delivery_id.bytes().chain(attempt.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Report {
    /// Both.
    pub fn and(self, other: Report) -> Report {
        Report {
            queued: self.queued + other.queued,
            started: self.started + other.started,
            sent: self.sent + other.sent,
            failed: self.failed + other.failed,
            dead: self.dead + other.dead,
        }
    }
}
