//! The role that evaluates rules: those that new findings can be judged by alone as soon as findings are committed, and beside them, at their
//! own pace, those that need more.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::time::Duration;

use jobs::{Evaluator, is_incremental};
use lake::Table;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::roles::{LONGEST_LOOK, Service};
use crate::args::Role;
use crate::commands::alert;
use crate::failure::{Failure, note};
use crate::health::Done;

/// Between looks for commits of other processes; one's own wake the evaluation.
const BETWEEN_GLANCES: Duration = Duration::from_secs(2);
/// The same of rules that need more than new findings, which rest for so long anyway: each look costs requests.
const BETWEEN_GLANCES_AT_ALL: Duration = Duration::from_secs(10);
/// Evaluations rest for a quarter of the time that the last one took, and no longer than this: others want processors, too.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// A rule that takes long rests alone, and no longer than this: its alerts are late by so much at most.
const LONGEST_REST_OF_A_RULE: Duration = Duration::from_secs(60);
/// How long at most until time alone is seen to have changed an alert.
const WITHOUT_FINDINGS: Duration = Duration::from_secs(60);
/// Alerts whose last match is older do not ring.
const MAX_AGE: i64 = 86_400_000_000;

/// Rules that are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Those that can be judged by new findings alone; gaps, and what time does to alerts, too.
    Incremental,
    /// Those that need more: time, other versions of findings, or everything.
    Whole,
}

/// When the loop of each lane has turned.
struct Turns([Cell<Instant>; 2]);

impl Default for Turns {
    fn default() -> Turns {
        Turns(std::array::from_fn(|_| Cell::new(Instant::now())))
    }
}

impl Turns {
    /// One has turned now; whether the other is not stuck either.
    fn now(&self, lane: Lane) -> bool {
        self.0[lane as usize].set(Instant::now());
        let mut turned = self.0.iter();
        turned.all(|turned| turned.get().elapsed() < LONGEST_LOOK)
    }
}

impl Service {
    /// Evaluates rules on what is committed; once more after `stop`, so that nothing waits for the next process.
    pub(super) async fn evaluate(&self, stop: &CancellationToken) -> Result<(), Failure> {
        self.health.expect(Role::Alerts, LONGEST_LOOK);
        let turns = Turns::default();
        tokio::try_join!(
            self.evaluate_lane(Lane::Incremental, &turns, stop),
            self.evaluate_lane(Lane::Whole, &turns, stop),
        )?;
        Ok(())
    }

    async fn evaluate_lane(
        &self,
        lane: Lane,
        turns: &Turns,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut evaluator = Evaluator::new(self.lake.clone(), MAX_AGE);
        evaluator.let_rest(LONGEST_REST_OF_A_RULE);
        evaluator.hold(&self.at_hand[lane as usize]);
        let mut evaluated = None;
        let mut told: Option<String> = None;
        let mut looked = Instant::now();
        let mut commits = self.lake.commits(Table::Findings);
        loop {
            let last = stop.is_cancelled();
            let mut rest = Duration::ZERO;
            commits.mark_unchanged();
            if last {
                evaluator.let_rest(Duration::ZERO);
            }
            let files = self.files.now();
            let version = (
                self.lake.version(Table::Findings).await?,
                self.lake.version(Table::Gaps).await?,
                files.number,
            );
            let rested = evaluator.rested();
            let is_due = rested.is_some_and(|at| last || at <= Instant::now());
            // Quiet resolves and snoozes end without findings.
            if is_due || evaluated != Some(version) || looked.elapsed() >= WITHOUT_FINDINGS {
                looked = Instant::now();
                let (outcome, same) = self.look(lane, evaluator).await;
                evaluator = same;
                match outcome {
                    Ok(()) => {}
                    // The other rules were evaluated. Who starts with a wrong rule hears of it at once; later it is said once.
                    Err(failure) if failure.is_query() && evaluated.is_some() => {
                        if told.as_deref() != Some(failure.text()) {
                            note(&format!("a rule cannot be evaluated: {}", failure.text()));
                        }
                        told = Some(failure.text().to_owned());
                    }
                    Err(failure) => return Err(failure),
                }
                evaluated = Some(version);
                rest = (looked.elapsed() / 4).min(LONGEST_REST);
            }
            if turns.now(lane) {
                self.health.beat(Role::Alerts);
            }
            if last {
                return Ok(());
            }
            let rested = evaluator.rested();
            let news = async {
                tokio::time::sleep(rest).await;
                let glance = match lane {
                    Lane::Incremental => BETWEEN_GLANCES,
                    Lane::Whole => BETWEEN_GLANCES_AT_ALL,
                };
                let glance = Instant::now() + glance;
                let until = rested.map_or(glance, |at| at.min(glance));
                // The sender lives as long as the lake.
                let _ = tokio::time::timeout_at(until, commits.changed()).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = news => {}
            }
        }
    }

    /// A look at the rules of a lane, as a task that other roles do not wait for.
    async fn look(&self, lane: Lane, mut evaluator: Evaluator) -> (Result<(), Failure>, Evaluator) {
        let files = self.files.now();
        let mut rules = match alert::enabled_rules(&files.library) {
            Ok(rules) => rules,
            Err(failure) => return (Err(failure), evaluator),
        };
        rules.retain(|rule| is_incremental(rule) == (lane == Lane::Incremental));
        // Whoever rests sees later what is new now; gaps and time are the other lane's.
        if lane == Lane::Whole && evaluator.all_rest(&rules) {
            return (Ok(()), evaluator);
        }
        let (lake, rings_here) = (self.lake.clone(), self.rings_here);
        let look = async move {
            let rung = alert::evaluate_rules(
                &mut evaluator,
                &lake,
                &files.library,
                &rules,
                &files.suppressions,
                rings_here,
            );
            let rung = rung.await;
            (rung, evaluator)
        };
        // Whoever has a burst to tell of does not wait for who takes longer.
        let (rung, evaluator) = match lane {
            Lane::Incremental => match tokio::spawn(look).await {
                Ok(looked) => looked,
                Err(broken) => resume_unwind(broken.into_panic()),
            },
            Lane::Whole => self.background.run(look).await,
        };
        self.health.done(Done::Evaluation);
        let rung = match rung {
            Ok(rung) if self.rings_here => alert::ring(&rung),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        (rung, evaluator)
    }
}
