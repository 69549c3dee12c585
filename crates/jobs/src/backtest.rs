//! How often a rule would have rung: the same evaluation as ever, over the lake as it would be without the findings from `to` on.
//!
//! An alert belongs to the period in which it opens: its first match lies in `[from, to)`. Findings before `from` are seen, by windows
//! that reach back and by alerts that go on; those from `to` on are not there. So the alerts of a period are those of its parts
//! together, and those of all time are what [`evaluate`](crate::evaluate()) finds.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use alerts::{Episode, Group, Kind, Rule};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use lake::schema::timestamp;
use lake::{Lake, Provided, Table};

use crate::evaluate::{evaluate, select};
use crate::mistake::QueryError;
use crate::params::{ParameterType, Value};
use crate::session::{Opened, Session};
use crate::{JobsError, Library, Limits};

const DAY: i64 = 86_400_000_000;

/// Rows that a sweep keeps in memory rather than reading the lake again for each value.
const HELD: usize = 3_000_000;

/// What [`HELD`] rows are called for the session.
const HELD_ROWS: &str = "backtest_rows";

/// The lake as it was before the end of a period.
pub struct Past {
    session: Session,
    from: i64,
    to: i64,
    as_of: i64,
}

/// An alert of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// The values that name its group.
    pub group: Group,
    /// When it was, and how big.
    pub episode: Episode,
}

/// What a rule would have done in a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// Start of the period in UTC microseconds, included.
    pub from: i64,
    /// Its end, not included.
    pub to: i64,
    /// The alerts that open in it, by first match and group.
    pub alerts: Vec<Rung>,
    /// How many opened before it and still had a match in it.
    pub going_on: u64,
}

impl Past {
    /// Opens the tables of a lake as they were before `to`. Times as a trend takes them: `2026-11-01`, `end - 7d`; from the oldest
    /// finding to the midnight after the newest where there is none. What depends on when it is asked is asked at `to`, or at `now`
    /// (UTC microseconds) where that is earlier.
    pub async fn open(
        lake: &Lake,
        library: &Library,
        limits: &Limits,
        from: Option<&str>,
        to: Option<&str>,
        now: i64,
    ) -> Result<Past, JobsError> {
        let mut tables = Vec::new();
        for table in Table::ALL {
            let Provided { provider, version } = lake.provider(table).await?;
            tables.push(Opened {
                table,
                provider,
                version: Some(version),
            });
        }
        Past::over(tables, library, limits, from, to, now).await
    }

    /// The same over any tables.
    pub async fn over(
        mut tables: Vec<Opened>,
        library: &Library,
        limits: &Limits,
        from: Option<&str>,
        to: Option<&str>,
        now: i64,
    ) -> Result<Past, JobsError> {
        let Some(findings) = tables
            .iter_mut()
            .find(|opened| opened.table == Table::Findings)
        else {
            return Err(DataFusionError::Internal("no table of findings".to_owned()).into());
        };
        let (oldest, newest) = ends(&findings.provider).await?;
        let time = |name: &str, text: Option<&str>, default: i64| match text {
            None => Ok(default),
            Some(text) => match ParameterType::Timestamp.read(text, newest) {
                Ok(Value::Timestamp(micros)) => Ok(micros),
                Ok(_) => Ok(default),
                Err(why) => Err(format!("--{name}: {why}")),
            },
        };
        let from = time("from", from, oldest).map_err(JobsError::Period)?;
        let to = time(
            "to",
            to,
            newest.div_euclid(DAY).saturating_add(1).saturating_mul(DAY),
        )
        .map_err(JobsError::Period)?;
        if from >= to {
            return Err(JobsError::Period(format!(
                "the period ends before it begins: from {} to {}",
                alerts::rfc3339(from),
                alerts::rfc3339(to)
            )));
        }
        // A filter is not free, even one that all rows pass.
        if newest >= to {
            findings.provider = before(&findings.provider, to)?;
        }
        Ok(Past {
            session: Session::over(tables, library, limits).await?,
            from,
            to,
            as_of: to.min(now),
        })
    }

    /// The session, for checking rules.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The alerts of one rule.
    pub async fn ask(&self, rule: &Rule) -> Result<Backtest, QueryError> {
        let mut alerts = Vec::new();
        let mut going_on = 0;
        for fired in evaluate(&self.session, rule, self.as_of).await? {
            for episode in fired.episodes {
                if (self.from..self.to).contains(&episode.first_match) {
                    alerts.push(Rung {
                        group: fired.group.clone(),
                        episode,
                    });
                } else if episode.first_match < self.from && episode.last_match >= self.from {
                    going_on += 1;
                }
            }
        }
        // Groups come in order of their values: the sort keeps it among equals.
        alerts.sort_by_key(|rung| rung.episode.first_match);
        Ok(Backtest {
            from: self.from,
            to: self.to,
            alerts,
            going_on,
        })
    }

    /// The alerts of several rules that select the same rows: one rule with other values. The rows are read once and kept, unless
    /// they are too many.
    pub async fn sweep(&self, rules: &[Rule]) -> Result<Vec<Backtest>, QueryError> {
        let held = match rules.first() {
            Some(rule) if rules.len() > 1 && rule.kind != Kind::Query => self.hold(rule).await?,
            _ => false,
        };
        let mut answers = Vec::new();
        for rule in rules {
            let mut rule = rule.clone();
            if held {
                rule.sql = format!("SELECT * FROM {HELD_ROWS}");
            }
            answers.push(self.ask(&rule).await?);
        }
        Ok(answers)
    }

    /// Reads a rule's rows into memory. False where they are too many, or not all of the rule.
    async fn hold(&self, rule: &Rule) -> Result<bool, QueryError> {
        let frame = select(&self.session, rule, self.as_of).await?;
        self.held(frame, rule)
            .await
            .map_err(|error| self.session.mistake(&error, &rule.sql))
    }

    async fn held(&self, frame: DataFrame, rule: &Rule) -> Result<bool, DataFusionError> {
        let mut names = vec![
            "account_id",
            "region",
            "finding_id",
            "event_time",
            "version_id",
            "increase",
            "severity",
            "severity_label",
            "step",
            "type",
        ];
        names.extend(rule.group_by.iter().map(String::as_str));
        let counted = rule.counts().flat_map(|count| count.columns());
        names.extend(counted.map(String::as_str));
        names.sort_unstable();
        names.dedup();
        names.retain(|name| frame.schema().has_column_with_unqualified_name(name));
        let columns: Vec<_> = names
            .into_iter()
            .map(datafusion::logical_expr::ident)
            .collect();
        let frame = frame.select(columns)?;
        let schema = Arc::clone(frame.schema().inner());
        let mut stream = frame.execute_stream().await?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            if rows > HELD {
                return Ok(false);
            }
            batches.push(batch);
        }
        let context = self.session.context();
        context.deregister_table(HELD_ROWS)?;
        let table = MemTable::try_new(schema, vec![batches])?;
        context.register_table(HELD_ROWS, Arc::new(table))?;
        Ok(true)
    }
}

impl Backtest {
    /// How many alerts open on each day of the period, days without any included: midnight in UTC microseconds, and how many.
    pub fn days(&self) -> Vec<(i64, u64)> {
        let day = |time: i64| time.div_euclid(DAY);
        let mut days = vec![0; (day(self.to - 1) - day(self.from) + 1).max(0) as usize];
        for rung in &self.alerts {
            days[(day(rung.episode.first_match) - day(self.from)) as usize] += 1;
        }
        let first = day(self.from);
        (first..).map(|day| day * DAY).zip(days).collect()
    }

    /// The groups that rang and how often, the loudest first.
    pub fn groups(&self) -> Vec<(&Group, u64)> {
        let mut groups: BTreeMap<&Group, u64> = BTreeMap::new();
        for rung in &self.alerts {
            *groups.entry(&rung.group).or_default() += 1;
        }
        let mut groups: Vec<(&Group, u64)> = groups.into_iter().collect();
        groups.sort_by_key(|(_, alerts)| std::cmp::Reverse(*alerts));
        groups
    }

    /// Alerts a day, over the length of the period.
    pub fn per_day(&self) -> f64 {
        self.alerts.len() as f64 / ((self.to - self.from) as f64 / DAY as f64)
    }

    /// The alert that went on longest, the first of those.
    pub fn longest(&self) -> Option<&Rung> {
        let length = |rung: &&Rung| rung.episode.last_match - rung.episode.first_match;
        self.alerts.iter().rev().max_by_key(length)
    }

    /// The alert with the largest count, the first of those.
    pub fn biggest(&self) -> Option<&Rung> {
        self.alerts
            .iter()
            .rev()
            .max_by_key(|rung| rung.episode.count)
    }
}

/// The oldest and newest event time; 0 for no findings.
async fn ends(findings: &Arc<dyn TableProvider>) -> Result<(i64, i64), DataFusionError> {
    let batches = SessionContext::new()
        .read_table(Arc::clone(findings))?
        .aggregate(vec![], vec![min(col("event_time")), max(col("event_time"))])?
        .collect()
        .await?;
    let end = |column: usize| -> Result<i64, DataFusionError> {
        let Some(batch) = batches.first() else {
            return Ok(0);
        };
        let column = cast(batch.column(column), &timestamp())?;
        let column = column.as_primitive::<TimestampMicrosecondType>();
        let known = column.len() == 1 && column.is_valid(0);
        Ok(if known { column.value(0) } else { 0 })
    };
    Ok((end(0)?, end(1)?))
}

/// The rows before a time. Those without one stay: they are in no window, but another version may have grown beyond them.
fn before(
    findings: &Arc<dyn TableProvider>,
    to: i64,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let end = ScalarValue::TimestampMicrosecond(Some(to), Some("UTC".into()));
    let day = i32::try_from(to.div_euclid(DAY)).unwrap_or(i32::MAX);
    let rows = SessionContext::new()
        .read_table(Arc::clone(findings))?
        .filter(col("event_date").lt_eq(lit(ScalarValue::Date32(Some(day)))))?
        .filter(
            col("event_time")
                .lt(lit(end))
                .or(col("event_time").is_null()),
        )?;
    Ok(rows.into_view())
}
