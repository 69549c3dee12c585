//! A stream that is followed: what it is, which shards it has, and what its past says about records that may be gone.

use lake::{Begun, GapRow, Lake, LakeError, Position, ShardKey, Writer};

use super::pages::answered;
use super::run::record_gap;
use crate::kinesis::{CallError, Description, Shard, Stream};
use crate::{Progress, Start};

/// Clocks of workers may be wrong by so much, in microseconds.
const CLOCKS_DIFFER: i64 = 3_600_000_000;

/// A stream, as it was last looked at.
pub(super) struct Followed {
    pub(super) options: crate::Followed,
    /// ARN and creation time; `None` before the first look that succeeded.
    pub(super) source: Option<String>,
    pub(super) retention_ms: i64,
    /// Where and when reading began.
    pub(super) begun: Begun,
    pub(super) shards: Vec<Shard>,
}

impl Followed {
    pub(super) fn new(options: crate::Followed) -> Followed {
        Followed {
            options,
            source: None,
            retention_ms: 0,
            begun: Begun::default(),
            shards: Vec::new(),
        }
    }
}

/// Looks at a stream again. If it cannot be seen, what was seen last stays.
///
/// # Errors
/// Those of the lake; [`LakeError::PositionMoved`] when the stream is another one than before.
pub(super) async fn look(
    followed: &mut Followed,
    lake: &Lake,
    writer: &mut Writer,
    progress: &Progress,
) -> Result<(), LakeError> {
    let name = followed.options.name.clone();
    let stream = followed.options.stream.clone();
    let seen = async {
        let description = answered(stream.describe()).await?;
        Ok::<_, CallError>((description, list(stream.as_ref()).await?))
    };
    let (description, shards) = match seen.await {
        Ok(seen) => seen,
        Err(error) => {
            tracing::warn!(stream = %name, reason = %error, "cannot look at the stream, trying again later");
            return Ok(());
        }
    };
    let source = description.source();
    if followed
        .source
        .as_ref()
        .is_some_and(|known| *known != source)
    {
        return Err(LakeError::PositionMoved {
            what: format!("stream `{name}`, which was deleted and made again"),
        });
    }
    if followed.source.is_none() {
        let now = (lake.surroundings().now)();
        let from = match followed.options.start {
            Start::Oldest => 0,
            Start::Newest => now,
            Start::Time(micros) => micros.max(1),
        };
        followed.begun = writer.begin(&source, Begun { from, at: now }).await?;
        for gap in lost_with(&source, &description, &shards, writer, now) {
            record_gap(lake, &gap, progress).await?;
        }
        tracing::info!(stream = %name, %source, shards = shards.len(), "following the stream");
    }
    followed.retention_ms = description.retention_ms;
    followed.source = Some(source);
    followed.shards = shards;
    Ok(())
}

/// All shards of a stream, closed ones included.
async fn list(stream: &dyn Stream) -> Result<Vec<Shard>, CallError> {
    let mut shards = Vec::new();
    let mut token = None;
    loop {
        let page = answered(stream.list_shards(token)).await?;
        shards.extend(page.shards);
        token = page.next;
        if token.is_none() {
            return Ok(shards);
        }
    }
}

/// What nobody can read any more: the rest of a stream that was deleted and made again, and of shards that were closed and
/// left the listing before they were read to their end.
fn lost_with(
    source: &str,
    description: &Description,
    listed: &[Shard],
    writer: &Writer,
    now: i64,
) -> Vec<GapRow> {
    let former = format!("{}@", description.arn);
    let oldest_kept = now - description.retention_ms * 1_000;
    let reason = |shard: &ShardKey, position: &Position| {
        if shard.source == source {
            let gone = listed.iter().all(|listed| listed.id != shard.shard_id);
            // A shard is listed until its last record expires. One that was read later than that is only newer than this listing.
            let old = |through| through < oldest_kept + CLOCKS_DIFFER;
            let gone = gone && position.read_through.is_none_or(old);
            gone.then_some("the shard is gone from the stream and was not read to its end")
        } else if shard.source.starts_with(&former) {
            Some(
                "the stream was deleted and made again, and this shard of it was not read to its end",
            )
        } else {
            None
        }
    };
    let gap = |(shard, position): (ShardKey, Position)| {
        let reason = reason(&shard, &position).filter(|_| !position.ended)?;
        Some(GapRow {
            shard,
            after: Some(position),
            oldest_kept: None,
            reason: reason.to_owned(),
            detected_at: now,
        })
    };
    writer.positions().into_iter().filter_map(gap).collect()
}
