//! Brings the alert log in line with what the rules see.

mod at_hand;
mod book;
mod incremental;
mod quick;
mod reads;
mod recent;
mod resting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use alerts::{
    Alert, AlertEvent, AsPlanned, Bell, Event, Group, Look, Rule, Suppression, fold_onto, plan,
    ring,
};
use lake::{AlertCommit, Evaluated, Lake, LakeError, Seen, Table};
use metrics::{counter, histogram};
use tokio::time::Instant;

use crate::evaluate::{FEW, Fired};
use crate::session::Session;
use crate::{gaps, rules};
pub use at_hand::AtHand;
use book::Book;
use incremental::{Looked, News, is_in_part, is_local};
use quick::Quick;
use reads::Reads;
use recent::{MOST_FINDINGS, Recent, Span};

/// How often somebody else may write to the log first.
const ATTEMPTS: u32 = 20;
/// What one look at the lake brought.
#[derive(Debug, Default)]
pub struct Report {
    /// The version of `findings` that was looked at.
    pub findings_version: i64,
    /// What was logged, in order.
    pub events: Vec<AlertEvent>,
    /// The alerts that somebody should hear of, as they are after it.
    pub rung: Vec<Alert>,
    /// Ids of the rules that were evaluated.
    pub evaluated: Vec<String>,
    /// Ids of the rules that had seen this version already, rest, or are not enabled.
    pub skipped: Vec<String>,
    /// Ids of the rules that are asked in a new meaning from this version on, and their revisions: they were asked about everything.
    pub revised: Vec<(String, String)>,
    /// Ids of the rules that could not be evaluated, and why. The others were.
    pub failed: Vec<(String, String)>,
}

impl Report {
    /// How many events of a kind were logged.
    pub fn count(&self, event: Event) -> usize {
        self.events
            .iter()
            .filter(|logged| logged.event == event)
            .count()
    }

    /// What somebody should hear of, as [`ring`] decided.
    pub fn told(&self) -> impl Iterator<Item = &AlertEvent> {
        self.events.iter().filter(|logged| logged.rings)
    }
}

/// Evaluates rules over what `session` sees of `lake` and brings the alert log in line: an [`Evaluator`] for one look.
pub async fn run_alerts(
    lake: &Lake,
    session: &Session,
    rules: &[Rule],
    suppressions: &[Suppression],
    now: i64,
    max_age: i64,
) -> Result<Report, LakeError> {
    let mut evaluator = Evaluator::new(lake.clone(), max_age);
    evaluator.look(session, rules, suppressions, now).await
}

/// Whether a rule can be asked about new rows alone. The others take longer: silence is about time too, what an occurrence is depends on
/// the other versions of its finding, whenever they were, and queries read everything each time.
pub fn is_incremental(rule: &Rule) -> bool {
    is_local(rule)
}

/// Looks at the lake again and again, and brings the alert log in line each time. What it remembers between looks only saves
/// work: another one, or a new one, comes to the same.
pub struct Evaluator {
    lake: Lake,
    max_age: i64,
    book: Book,
    /// By rule and revision: its columns that are lists. They stay while the views stay.
    lists: HashMap<(String, String), Vec<String>>,
    /// By rule and revision, those that can be asked about some rows alone: what they read.
    reads: HashMap<(String, String), Reads>,
    /// What is asked of few rows.
    quick: Option<Quick>,
    recent: Recent,
    /// What others see of that.
    at_hand: AtHand,
    /// How often it has looked.
    looks: u64,
    /// New rows whose groups are looked at without asking first which of them can fire.
    few: usize,
    /// So many findings are all held in memory.
    most: u64,
    /// The longest rest of a rule that took long.
    longest_rest: Duration,
    /// By rule: until when it rests.
    resting: HashMap<String, Instant>,
    /// By rule and revision, where time alone changes what it says: how far it had seen when it was last asked.
    asked: HashMap<(String, String), Seen>,
    /// When the first of the rules has rested that the last look left out.
    rested: Option<Instant>,
    /// By rule: how long the last look has taken, but for the first.
    took: HashMap<String, Duration>,
}

impl Evaluator {
    /// `max_age` in microseconds: an alert whose last match is older than `now - max_age` is logged as historic.
    pub fn new(lake: Lake, max_age: i64) -> Evaluator {
        Evaluator {
            lake,
            max_age,
            book: Book::default(),
            lists: HashMap::new(),
            reads: HashMap::new(),
            quick: None,
            recent: Recent::default(),
            at_hand: AtHand::default(),
            looks: 0,
            few: FEW,
            most: MOST_FINDINGS,
            longest_rest: Duration::ZERO,
            resting: HashMap::new(),
            asked: HashMap::new(),
            rested: None,
            took: HashMap::new(),
        }
    }

    /// The rows that it holds once it has looked twice, after each look.
    pub fn at_hand(&self) -> AtHand {
        self.at_hand.clone()
    }

    /// Holds its rows in the place of those that are at hand there.
    pub fn hold(&mut self, at_hand: &AtHand) {
        self.at_hand = at_hand.clone();
        self.at_hand.put(&self.recent, self.quick.as_ref());
    }

    /// How many alerts are held in memory: those that are over go when the findings of their time do.
    pub fn alerts_held(&self) -> usize {
        self.book.alerts().len()
    }

    /// Evaluates rules over what `session` sees of the lake and brings the alert log in line, in one commit that also says how
    /// far each rule has seen. `now` in UTC microseconds.
    ///
    /// A rule that has seen an earlier version is asked only about the groups that rows since then touch, over the time that
    /// those rows can influence; one that has seen none, in its present revision, about everything. Silence and queries are
    /// asked whenever time has passed, silence about the groups that this can have changed.
    ///
    /// A gap in a stream opens an alert too, with no rule needed. Time alone resolves alerts for quiet and ends snoozes, so this
    /// is asked also when there is nothing new. When somebody else writes to the log meanwhile, everything is looked at again.
    #[tracing::instrument(name = "evaluation", skip_all, fields(rules = rules.len()))]
    pub async fn look(
        &mut self,
        session: &Session,
        rules: &[Rule],
        suppressions: &[Suppression],
        now: i64,
    ) -> Result<Report, LakeError> {
        let began = Instant::now();
        let mut looked = None;
        for _ in 0..ATTEMPTS {
            let followed = self.book.follow(&self.lake).await?;
            self.book.forget(self.lake.retained_from().await?);
            // What others wrote of other rules changes nothing of what was seen.
            let mut planned = match looked.take().filter(|_| followed.spares(rules)) {
                Some(planned) => planned,
                None => self.planned(session, rules, now).await?,
            };
            let bell = Bell {
                rules,
                suppressions,
                now,
            };
            let as_planned = AsPlanned::of(&planned.events);
            let events = ring(
                std::mem::take(&mut planned.events),
                self.book.alerts(),
                &bell,
            );
            match self
                .lake
                .append_alert_events(followed.version, &events, &planned.evaluated)
                .await?
            {
                AlertCommit::Committed { .. } => {
                    self.asked.extend(planned.asked);
                    let mut report = planned.report;
                    report.rung = rung(&events, self.book.alerts());
                    report.events = events;
                    histogram!("guardlake_evaluation_seconds")
                        .record(began.elapsed().as_secs_f64());
                    count(&report);
                    return Ok(report);
                }
                AlertCommit::Conflict => {
                    tracing::debug!(
                        planned_on = followed.version,
                        "somebody else wrote to the alert log first"
                    );
                    let events = as_planned.back(events);
                    looked = Some(Planned { events, ..planned });
                }
            }
        }
        Err(LakeError::Contention {
            uri: self.lake.table_url(Table::AlertLog),
            attempts: ATTEMPTS,
        })
    }

    /// What the log lacks, given all alerts that matter to it.
    async fn planned(
        &mut self,
        session: &Session,
        rules: &[Rule],
        now: i64,
    ) -> Result<Planned, LakeError> {
        let planned = self.plan(session, rules, now).await?;
        if !self.book.may_repeat(&planned.events) {
            return Ok(planned);
        }
        self.book.recall(&self.lake).await?;
        self.resting.clear();
        self.plan(session, rules, now).await
    }

    async fn plan(
        &mut self,
        session: &Session,
        rules: &[Rule],
        now: i64,
    ) -> Result<Planned, LakeError> {
        let findings_version = session.version(Table::Findings).unwrap_or_default();
        let mut report = Report {
            findings_version,
            ..Report::default()
        };
        let named: Vec<(String, String)> = rules
            .iter()
            .map(|rule| (rule.id.clone(), rule.revision()))
            .collect();
        let seen = self.lake.evaluated_through(&named).await?;
        let look = Look::at_all(now, findings_version, self.max_age);
        let retained = self.lake.retained_from().await?;
        let (mut planned, mut evaluated, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let lake = self.lake.clone();
        let reads = self.reads(session, rules, &named).await;
        if self.looks > 0 || seen.iter().any(Option::is_some) {
            self.plan_ahead(reads, session).await;
        }
        let through = |nth: usize| seen[nth].map(|seen| seen.findings_version);
        let is_done = |nth: usize| through(nth).is_some_and(|seen| seen >= findings_version);
        let chosen = self.chosen(rules, is_done);
        let span = Span {
            rules,
            now,
            retained,
            most: self.most,
        };
        let mut news = News::of(&lake, session, self.quick.as_mut(), self.few);
        // Who looks once only would read for nothing.
        if self.looks > 0
            && let Err(error) = news.refresh(&mut self.recent, &span).await
        {
            tracing::warn!(
                error = lake::in_one_line(&error),
                "recent rows are not held in memory; rules read them from the lake"
            );
            self.recent = Recent::default();
        }
        self.looks += 1;
        for (nth, rule) in rules.iter().enumerate() {
            if !chosen.contains(&nth) {
                report.skipped.push(rule.id.clone());
                continue;
            }
            let began = Instant::now();
            let lists = match self.lists.get(&named[nth]) {
                Some(lists) => Ok(lists.clone()),
                None => rules::checked(session, rule).await.map(|rule| rule.lists),
            };
            let looked = match lists {
                Err(error) => Err(error.to_string()),
                Ok(lists) => {
                    self.lists.insert(named[nth].clone(), lists.clone());
                    let rule = Rule {
                        lists,
                        ..rule.clone()
                    };
                    let seen = seen[nth].filter(|_| self.reads.contains_key(&named[nth]));
                    // What somebody else has seen meanwhile was not there when it was asked here.
                    let same = |asked: &&Seen| Some(asked.findings_version) == through(nth);
                    let asked = self.asked.get(&named[nth]).filter(same).copied();
                    let at = incremental::At {
                        seen: seen.map(|seen| seen.findings_version),
                        as_of: now,
                        before: asked.or(seen).and_then(|seen| seen.as_of),
                    };
                    incremental::look(&mut news, &self.recent, &rule, &at, self.book.alerts())
                        .await
                        .map(|looked| {
                            let look = kept(&rule, retained, look);
                            plan_looked(&rule, &looked, self.book.alerts(), &look)
                        })
                        .map_err(|error| error.said())
                }
            };
            let took = began.elapsed();
            histogram!("guardlake_rule_seconds", "rule" => rule.id.clone())
                .record(took.as_secs_f64());
            if seen[nth].is_some() {
                self.took.insert(rule.id.clone(), took);
            }
            let until = resting::until(rule, took, self.longest_rest);
            self.resting
                .extend(until.map(|until| (rule.id.clone(), until)));
            match looked {
                Err(why) => report.failed.push((rule.id.clone(), why)),
                Ok(events) => {
                    planned.extend(events);
                    let before =
                        |alert: &Alert| alert.rule == rule.id && alert.revision != named[nth].1;
                    if seen[nth].is_none() && self.book.alerts().iter().any(before) {
                        report.revised.push(named[nth].clone());
                    }
                    report.evaluated.push(rule.id.clone());
                    let as_of = rule.kind.is_timely().then_some(now);
                    if as_of.is_some() {
                        let seen = Seen {
                            findings_version,
                            as_of,
                        };
                        asked.push((named[nth].clone(), seen));
                    }
                    // Time passes without a new version: then there is no new position either.
                    if !is_done(nth) {
                        evaluated.push(Evaluated {
                            rule: rule.id.clone(),
                            revision: named[nth].1.clone(),
                            findings_version,
                            as_of,
                        });
                    }
                }
            }
        }
        self.at_hand.put(&self.recent, self.quick.as_ref());
        let gaps = self.lake.gaps().await?;
        planned.extend(gaps::open(
            &gaps,
            self.book.alerts(),
            now,
            findings_version,
            self.max_age,
        ));
        Ok(Planned {
            report,
            events: planned,
            evaluated,
            asked,
        })
    }
}

/// What a look has seen, before it is known whether it rings.
struct Planned {
    report: Report,
    events: Vec<AlertEvent>,
    evaluated: Vec<Evaluated>,
    /// What [`Evaluator::asked`] is then.
    asked: Vec<((String, String), Seen)>,
}

/// The alerts that somebody should hear of, as these events leave them.
fn rung(events: &[AlertEvent], before: &[Alert]) -> Vec<Alert> {
    let rung: BTreeSet<&str> = (events.iter().filter(|event| event.rings))
        .map(|event| event.alert_id.as_str())
        .collect();
    let is_rung = |id: &str| rung.contains(id);
    let before = before.iter().filter(|alert| is_rung(&alert.alert_id));
    let events = events.iter().filter(|event| is_rung(&event.alert_id));
    fold_onto(before.cloned().collect(), events.cloned())
}

/// Tells what a look brought to whoever watches. Rules are dozens and may be labels; accounts and groups never.
fn count(report: &Report) {
    let opened = report
        .events
        .iter()
        .filter(|event| event.event == Event::Opened);
    for event in opened {
        let (rule, severity) = (event.rule.clone(), event.severity.as_str());
        let historic = if event.historic { "true" } else { "false" };
        counter!("guardlake_alerts_opened_total", "rule" => rule, "severity" => severity, "historic" => historic).increment(1);
    }
    for (rule, _) in &report.failed {
        counter!("guardlake_rule_errors_total", "rule" => rule.clone()).increment(1);
    }
}

impl Evaluator {
    /// Makes what can be made once for all looks at rules that read this.
    async fn plan_ahead(&mut self, reads: Reads, session: &Session) {
        if self
            .quick
            .as_ref()
            .is_some_and(|quick| *quick.reads() == reads)
        {
            return;
        }
        self.quick = match Quick::of(reads, session).await {
            Ok(quick) => Some(quick),
            Err(error) => {
                tracing::warn!(
                    error = lake::in_one_line(&error),
                    "rules cannot be asked about new rows alone; they read everything"
                );
                None
            }
        };
    }

    /// What the rules read that can be asked about some rows alone.
    async fn reads(
        &mut self,
        session: &Session,
        rules: &[Rule],
        named: &[(String, String)],
    ) -> Reads {
        let mut all = Reads::default();
        let shallow = match session.shallow() {
            Ok(shallow) => shallow,
            Err(error) => {
                tracing::warn!(%error, "what rules read cannot be said; they read everything");
                return all;
            }
        };
        let asked = rules
            .iter()
            .zip(named)
            .filter(|(rule, _)| rule.enabled && is_in_part(rule));
        for (rule, name) in asked {
            if !self.reads.contains_key(name) {
                // A rule that cannot be planned is told of when it is looked at.
                if let Ok(Some(reads)) = incremental::reads(rule, &shallow, session).await {
                    self.reads.insert(name.clone(), reads);
                }
            }
            if let Some(reads) = self.reads.get(name) {
                all.and(reads);
            }
        }
        all
    }
}

/// What can be judged where rows before `retained` may have been taken out: matches whose windows are whole. Older alerts stay as
/// they are.
fn kept(rule: &Rule, retained: i64, look: Look) -> Look {
    match retained {
        i64::MIN => look,
        retained => Look {
            from: retained.saturating_add(rule.window.micros()),
            ..look
        },
    }
}

/// The events that the log lacks for one rule, given all that fires and all alerts there are.
///
/// A group that has alerts but no longer fires is looked at too: its alerts are withdrawn.
pub fn plan_rule(rule: &Rule, fired: &[Fired], alerts: &[Alert], look: &Look) -> Vec<AlertEvent> {
    let looked = Looked {
        fired: fired.to_vec(),
        extents: None,
    };
    plan_looked(rule, &looked, alerts, look)
}

fn plan_looked(rule: &Rule, looked: &Looked, alerts: &[Alert], look: &Look) -> Vec<AlertEvent> {
    let mut existing: BTreeMap<Group, Vec<Alert>> = BTreeMap::new();
    let asked = |group: &Group| match &looked.extents {
        None => Some(*look),
        Some(extents) => {
            let extent = extents.get(&incremental::values(rule, group)?)?;
            Some(Look {
                from: extent.from.max(look.from),
                through: extent.through,
                ..*look
            })
        }
    };
    for alert in alerts.iter().filter(|alert| alert.rule == rule.id) {
        if asked(&alert.group).is_some() {
            existing
                .entry(named(&alert.group))
                .or_default()
                .push(alert.clone());
        }
    }
    let mut events = Vec::new();
    let mut firing = BTreeSet::new();
    for Fired { group, episodes } in &looked.fired {
        let key = named(group);
        let known = existing.get(&key).map_or(&[][..], Vec::as_slice);
        if let Some(look) = asked(group) {
            let mut episodes = episodes.clone();
            episodes.retain(|episode| episode.last_match >= look.from);
            events.extend(plan(rule, group, known, &episodes, &look));
        }
        firing.insert(key);
    }
    for (key, known) in existing.iter().filter(|(key, _)| !firing.contains(*key)) {
        let group = known.first().map_or(key, |alert| &alert.group);
        if let Some(look) = asked(group) {
            events.extend(plan(rule, group, known, &[], &look));
        }
    }
    events
}

/// A group whatever the order of its columns.
fn named(group: &Group) -> Group {
    let mut group = group.clone();
    group.sort();
    group
}
