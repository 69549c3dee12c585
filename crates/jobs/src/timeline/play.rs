//! Plays a test: its documents through the decoder into rows, the rows through the rule, twice.

use std::sync::Arc;

use alerts::{Alert, AlertEvent, Look, Rule, fold};
use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use finding::{Decoded, decode};
use lake::{AccountRow, MemoryFindings, Provenance, Table, accounts_batch};

use super::compare::{Seen, differences, disagreement};
use super::{Arrival, Test, Timeline};
use crate::evaluate::{Fired, evaluate};
use crate::session::{Opened, Session};
use crate::watch::plan_rule;
use crate::{JobsError, Library, Limits, QueryError};

/// Where tests are played: a session whose findings change.
pub struct Stage {
    library: Library,
    session: Session,
    findings: Arc<MemTable>,
}

impl Stage {
    /// A stage with the rules and views of a library, without findings.
    pub async fn open(library: &Library) -> Result<Stage, JobsError> {
        Stage::with_accounts(library, &[]).await
    }

    async fn with_accounts(library: &Library, accounts: &[AccountRow]) -> Result<Stage, JobsError> {
        let mut tables = Vec::new();
        let mut findings = None;
        for table in Table::ALL {
            let rows = match table {
                Table::Accounts if !accounts.is_empty() => vec![accounts_batch(accounts)?],
                _ => Vec::new(),
            };
            let provider = Arc::new(MemTable::try_new(table.schema(), vec![rows])?);
            if table == Table::Findings {
                findings = Some(Arc::clone(&provider));
            }
            tables.push(Opened {
                table,
                provider,
                version: None,
            });
        }
        let findings = findings.ok_or_else(|| {
            DataFusionError::Internal("the lake has no table of findings".to_owned())
        })?;
        let limits = Limits {
            partitions: Some(1),
            ..Limits::default()
        };
        Ok(Stage {
            library: library.clone(),
            session: Session::over(tables, library, &limits).await?,
            findings,
        })
    }

    /// The session, for checking rules.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What was other than the test says, one sentence each; nothing where all went well.
    pub async fn play(
        &self,
        rule: &Rule,
        timeline: &Timeline,
        test: &Test,
    ) -> Result<Vec<String>, JobsError> {
        let wrong = |error: QueryError| JobsError::Query {
            file: rule.id.clone(),
            text: Arc::from(rule.sql.as_str()),
            error,
        };
        match test.accounts.is_empty() {
            true => self.perform(rule, timeline, test).await.map_err(wrong),
            false => {
                let stage = Stage::with_accounts(&self.library, &test.accounts).await?;
                stage.perform(rule, timeline, test).await.map_err(wrong)
            }
        }
    }

    async fn perform(
        &self,
        rule: &Rule,
        timeline: &Timeline,
        test: &Test,
    ) -> Result<Vec<String>, QueryError> {
        let at_once = self.at_once(rule, test).await?;
        let (one_by_one, log) = self.one_by_one(rule, test).await?;
        let alerts = fold(log);
        let seen: Vec<Seen> = at_once
            .iter()
            .flat_map(|fired| {
                fired
                    .episodes
                    .iter()
                    .map(|episode| Seen::new(rule, &fired.group, episode, &alerts))
            })
            .collect();
        let mut told = differences(timeline.start, &test.expect, &seen);
        told.extend(disagreement(
            rule,
            timeline.start,
            &at_once,
            &one_by_one,
            &alerts,
        ));
        Ok(told)
    }

    /// All findings in one commit, the last to arrive first.
    async fn at_once(&self, rule: &Rule, test: &Test) -> Result<Vec<Fired>, QueryError> {
        self.clear().await;
        let mut rows = MemoryFindings::default();
        for arrival in test.arrivals.iter().rev() {
            take(&mut rows, arrival);
        }
        self.add(&mut rows).await?;
        evaluate(&self.session, rule, test.until).await
    }

    /// A commit for each document and an evaluation after each. Returns what fires at the end, and the log of the alerts.
    async fn one_by_one(
        &self,
        rule: &Rule,
        test: &Test,
    ) -> Result<(Vec<Fired>, Vec<AlertEvent>), QueryError> {
        self.clear().await;
        let mut rows = MemoryFindings::default();
        let mut log: Vec<AlertEvent> = Vec::new();
        let mut version = 0;
        let mut last = None;
        for arrival in &test.arrivals {
            take(&mut rows, arrival);
            // A duplicate makes no new version of the lake, and nothing is asked.
            if self.add(&mut rows).await? {
                version += 1;
                let fired = evaluate(&self.session, rule, arrival.arrives).await?;
                log.extend(planned(rule, &fired, &log, arrival.arrives, version));
                last = Some(fired);
            }
        }
        let fired = match last {
            Some(fired) if !rule.kind.is_timely() => fired,
            _ => evaluate(&self.session, rule, test.until).await?,
        };
        log.extend(planned(rule, &fired, &log, test.until, version));
        Ok((fired, log))
    }

    async fn clear(&self) {
        for partition in &self.findings.batches {
            partition.write().await.clear();
        }
    }

    /// Whether there was anything to add.
    async fn add(&self, rows: &mut MemoryFindings) -> Result<bool, QueryError> {
        let batch: Option<RecordBatch> = rows
            .take()
            .map_err(|error| self.session.mistake(&error.into(), ""))?;
        let (Some(batch), Some(partition)) = (batch, self.findings.batches.first()) else {
            return Ok(false);
        };
        partition.write().await.push(batch);
        Ok(true)
    }
}

fn planned(
    rule: &Rule,
    fired: &[Fired],
    log: &[AlertEvent],
    now: i64,
    version: i64,
) -> Vec<AlertEvent> {
    let alerts: Vec<Alert> = fold(log.to_vec());
    plan_rule(rule, fired, &alerts, &Look::at_all(now, version, i64::MAX))
}

fn take(rows: &mut MemoryFindings, arrival: &Arrival) {
    decode(arrival.document.as_bytes(), &mut |at, item| {
        if let Decoded::Finding(finding) = item {
            rows.append(
                &finding,
                &Provenance {
                    source: "timeline",
                    shard_id: None,
                    sequence_number: None,
                    sub_sequence: None,
                    item: at.item,
                    arrived_at: Some(arrival.arrives),
                    ingested_at: arrival.arrives,
                    backfilled: false,
                },
            );
        }
    });
}
