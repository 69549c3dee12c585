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
    deadline: Option<(Instant, Duration)>,
}

impl Answer {
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        sql: &str,
        names: Names,
        time: Option<Duration>,
    ) -> Answer {
        Answer {
            stream,
            sql: sql.into(),
            names,
            deadline: time.map(|time| (Instant::now() + time, time)),
        }
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let next = self.stream.next();
        let batch = match self.deadline {
            None => next.await,
            Some((deadline, time)) => timeout_at(deadline, next)
                .await
                .map_err(|_| out_of_time(time))?,
        };
        batch
            .transpose()
            .map_err(|error| QueryError::of(&error, &self.sql, &self.names))
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
