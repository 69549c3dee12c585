//! The rows of an answer as they come, within the time that the query was given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::complete::Names;
use crate::mistake::{QueryError, Remedy};

/// The rows of an answer. Dropping it stops the query.
pub struct Answer {
    stream: SendableRecordBatchStream,
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
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        sql: &str,
        names: Names,
        deadline: Option<Deadline>,
    ) -> Answer {
        Answer {
            stream,
            sql: sql.into(),
            names,
            deadline,
        }
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
        in_time(self.deadline, next).await
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
