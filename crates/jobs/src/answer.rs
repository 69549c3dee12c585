//! The rows of an answer as they come, within the time that the query was given.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::apart::{self, Workers};
use crate::complete::Names;
use crate::mistake::{QueryError, Remedy};

/// The rows of an answer. They are worked on by threads of their own; dropping it stops the query.
pub struct Answer {
    stream: SendableRecordBatchStream,
    workers: Arc<Workers>,
    complete: bool,
    sql: Arc<str>,
    names: Names,
    deadline: Option<Deadline>,
}

/// When a query must have ended, and how long it was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    time: Duration,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Deadline {
        Deadline {
            at: Instant::now() + time,
            time,
        }
    }
}

/// Waits for a part of a query no longer than the query may take.
pub(crate) async fn in_time<T>(
    deadline: Option<Deadline>,
    part: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, QueryError> {
    match deadline {
        None => part.await,
        Some(Deadline { at, time }) => timeout_at(at, part).await.map_err(|_| out_of_time(time))?,
    }
}

impl Answer {
    /// Begins to work on what a frame asks. `sql` and `names` are for wording mistakes.
    pub(crate) async fn of(
        frame: DataFrame,
        sql: &str,
        names: &Names,
        deadline: Option<Deadline>,
    ) -> Result<Answer, QueryError> {
        let begun = async {
            let rows = apart::rows(frame).await;
            rows.map_err(|error| QueryError::of(&error, sql, names))
        };
        let (stream, workers) = in_time(deadline, begun).await?;
        Ok(Answer {
            stream,
            workers,
            complete: false,
            sql: sql.into(),
            names: names.clone(),
            deadline,
        })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let (sql, names) = (&self.sql, &self.names);
        let next = async {
            let batch = self.stream.next().await.transpose();
            batch.map_err(|error| QueryError::of(&error, sql, names))
        };
        let next = in_time(self.deadline, next).await?;
        self.complete = next.is_none();
        Ok(next)
    }

    /// All rows.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.complete {
            self.workers.abandon();
        }
    }
}

fn out_of_time(time: Duration) -> QueryError {
    QueryError {
        kind: Remedy::AskForLess,
        message: format!("the query took longer than {time:?}"),
        place: None,
        help: Some("ask about a shorter period, or allow more time".to_owned()),
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("schema", &self.schema())
            .finish_non_exhaustive()
    }
}
