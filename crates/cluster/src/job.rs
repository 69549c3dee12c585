//! One plan on its way: sent, waited for, fetched. Whoever stops waiting takes the job back.

use std::time::Duration;

use ballista_core::client::BallistaClient;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::{
    CancelJobParams, CleanJobDataParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair,
    PartitionLocation, SuccessfulJob, execute_query_failure_result, execute_query_result,
    job_status,
};
use ballista_core::version;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::oneshot;

use crate::client::{Cluster, Open};
use crate::{ClusterError, MESSAGE_BYTES};

/// How often a scheduler is asked for news, at first and at most.
const ASK_AFTER: Duration = Duration::from_millis(5);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The rows of a plan, of which nothing is sent before they are asked for.
pub(crate) fn rows(
    cluster: Cluster,
    plan: Vec<u8>,
    settings: Vec<KeyValuePair>,
    schema: SchemaRef,
) -> SendableRecordBatchStream {
    let rows = async move {
        let job = submit(&cluster, plan, settings).await?;
        let places = job.wait().await?;
        let rows = stream::iter(places).then(fetch).try_flatten();
        // The job's files are kept until the last row is here, or nobody wants more.
        Ok::<_, DataFusionError>(rows.inspect(move |_| {
            let _held = &job;
        }))
    };
    let rows = stream::once(rows).try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// A job on the cluster. Dropped, it is cancelled if it has not ended, and its files go.
struct Job {
    cluster: Cluster,
    id: String,
    ended: std::sync::atomic::AtomicBool,
    open: Option<Open>,
}

/// Sends a plan. Nobody knows of a job before the scheduler has answered, so that the call is made to its end even if nobody waits for it:
/// the job that comes of it is then cancelled.
async fn submit(cluster: &Cluster, plan: Vec<u8>, settings: Vec<KeyValuePair>) -> Result<Job> {
    let (tell, told) = oneshot::channel();
    let cluster = cluster.clone();
    tokio::spawn(async move {
        let _ = tell.send(send(cluster, plan, settings).await);
    });
    told.await
        .map_err(|_| DataFusionError::Internal("the call was given up".to_owned()))?
}

async fn send(cluster: Cluster, plan: Vec<u8>, settings: Vec<KeyValuePair>) -> Result<Job> {
    let open = cluster.open();
    let mut scheduler = cluster.connect().await.map_err(unreachable)?;
    let mut request = tonic::Request::new(ExecuteQueryParams {
        query: Some(Query::PhysicalPlan(plan)),
        settings,
        session_id: uuid::Uuid::new_v4().to_string(),
        operation_id: uuid::Uuid::new_v4().to_string(),
    });
    version::insert_version_header(request.metadata_mut());
    let answer = scheduler.execute_query(request).await;
    let answer = answer.map_err(|status| refused(&cluster, &status))?;
    match answer.into_inner().result {
        Some(execute_query_result::Result::Success(job)) => Ok(Job {
            cluster,
            id: job.job_id,
            ended: false.into(),
            open: Some(open),
        }),
        Some(execute_query_result::Result::Failure(failure)) => {
            use execute_query_failure_result::Failure::*;
            let why = match failure.failure {
                Some(PlanParsingFailure(why) | SqlParsingFailure(why) | SessionNotFound(why)) => {
                    why
                }
                None => "no reason given".to_owned(),
            };
            Err(DataFusionError::Execution(format!(
                "the cluster cannot read the plan, which happens where its version differs from this one: {why}"
            )))
        }
        None => Err(DataFusionError::Internal(
            "the scheduler answered nothing".to_owned(),
        )),
    }
}

impl Job {
    /// Where the rows are, once they are there.
    async fn wait(&self) -> Result<Vec<PartitionLocation>> {
        let mut scheduler = self.cluster.connect().await.map_err(unreachable)?;
        let mut pause = ASK_AFTER;
        loop {
            let asked = GetJobStatusParams {
                job_id: self.id.clone(),
            };
            let answer = scheduler.get_job_status(asked).await;
            let answer = answer.map_err(|status| refused(&self.cluster, &status))?;
            match answer.into_inner().status.and_then(|status| status.status) {
                Some(job_status::Status::Successful(SuccessfulJob {
                    partition_location, ..
                })) => {
                    self.ended.store(true, std::sync::atomic::Ordering::Relaxed);
                    return Ok(partition_location);
                }
                Some(job_status::Status::Failed(failed)) => {
                    self.ended.store(true, std::sync::atomic::Ordering::Relaxed);
                    return Err(failure(&failed.error));
                }
                Some(job_status::Status::Queued(_) | job_status::Status::Running(_)) | None => {}
            }
            tokio::time::sleep(pause).await;
            pause = ASK_EVERY.min(pause * 2);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (cluster, job_id) = (self.cluster.clone(), std::mem::take(&mut self.id));
        let (ended, open) = (*self.ended.get_mut(), self.open.take());
        runtime.spawn(async move {
            let Ok(mut scheduler) = cluster.connect().await else {
                return;
            };
            let told = match ended {
                true => scheduler
                    .clean_job_data(CleanJobDataParams {
                        job_id,
                        ..Default::default()
                    })
                    .await
                    .map(drop),
                false => scheduler
                    .cancel_job(CancelJobParams { job_id })
                    .await
                    .map(drop),
            };
            if let Err(status) = told {
                tracing::warn!(%status, "a job cannot be taken back");
            }
            drop(open);
        });
    }
}

/// The rows of one part of an answer, from the executor that has them.
async fn fetch(place: PartitionLocation) -> Result<SendableRecordBatchStream> {
    let layout = place.layout();
    let (Some(executor), Some(part)) = (place.executor_meta, place.partition_id) else {
        return Err(DataFusionError::Internal("rows are nowhere".to_owned()));
    };
    let lost = |error: ballista_core::error::BallistaError| {
        DataFusionError::IoError(std::io::Error::other(format!(
            "the executor at {}:{} that has the answer cannot be reached: {error}; ask again",
            executor.host, executor.port
        )))
    };
    let port = u16::try_from(executor.port).unwrap_or_default();
    let client = BallistaClient::try_new(
        &executor.host,
        port,
        MESSAGE_BYTES,
        false,
        None,
        3,
        200,
        0,
        0,
    );
    let mut client = client.await.map_err(lost)?;
    let part = part.into();
    let rows = client.fetch_partition(&executor.id, &part, place.file_id, layout, true);
    rows.await.map_err(lost)
}

fn unreachable(error: ClusterError) -> DataFusionError {
    DataFusionError::IoError(std::io::Error::other(error))
}

fn refused(cluster: &Cluster, status: &tonic::Status) -> DataFusionError {
    DataFusionError::IoError(std::io::Error::other(format!(
        "the cluster's scheduler at {} did not answer: {}",
        cluster.address(),
        status.message()
    )))
}

/// What a failed job says, by what can be done about it. Ballista hands errors on as text.
fn failure(text: &str) -> DataFusionError {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let told = format!("the cluster gave up: {text}");
    if has(&["Resources exhausted", "ResourcesExhausted"]) {
        DataFusionError::ResourcesExhausted(told)
    } else if has(&[
        "ObjectStore",
        "Object Store",
        "IoError",
        "executor",
        "Executor",
        "fetch",
    ]) {
        DataFusionError::IoError(std::io::Error::other(told))
    } else {
        DataFusionError::Execution(told)
    }
}
