//! From the records of a page to rows and rejects of a batch.

use bytes::Bytes;
use finding::{Decoded, Reject};
use lake::{Encoder, LakeError, Provenance};

use crate::kinesis::Record;
use crate::kpl::{Unpacked, unpack};

/// Whose records they are.
pub(super) struct Place<'a> {
    pub(super) source: &'a str,
    pub(super) shard_id: &'a str,
    /// Hash keys of the shard, both ends included.
    pub(super) hash_keys: (u128, u128),
    /// UTC microseconds.
    pub(super) ingested_at: i64,
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    /// Sub-sequence number of its last user record; 0 for a plain record.
    pub(super) last_sub_sequence: i64,
    /// User records that were meant for another shard.
    pub(super) misplaced: u64,
}

/// Puts all documents of a record into the batch: a record is never split over two.
///
/// User records meant for another shard are kept. KCL drops them, as their producer puts them again and KCL cannot tell the
/// two apart; here identity does, and a producer that does not put them again loses nothing.
pub(super) async fn take(
    encoder: &mut Encoder,
    place: &Place<'_>,
    record: &Record,
) -> Result<Taken, LakeError> {
    let provenance = |sub_sequence| Provenance {
        source: place.source,
        shard_id: Some(place.shard_id),
        sequence_number: Some(&record.sequence_number),
        sub_sequence: Some(sub_sequence),
        item: 0,
        arrived_at: record.arrived_at,
        ingested_at: place.ingested_at,
        backfilled: false,
    };
    match unpack(&record.data) {
        Unpacked::Plain => {
            documents(encoder, &record.data, provenance(0)).await?;
            Ok(Taken::default())
        }
        Unpacked::Aggregate(records) => {
            let (first, last) = place.hash_keys;
            let mut taken = Taken::default();
            for (sub_sequence, user) in (0..).zip(&records) {
                documents(encoder, &user.data, provenance(sub_sequence)).await?;
                taken.last_sub_sequence = sub_sequence;
                taken.misplaced += u64::from(!(first..=last).contains(&user.hash_key));
            }
            Ok(taken)
        }
        Unpacked::Broken(reason) => {
            let reject = Reject {
                bytes: &record.data,
                reason: reason.to_owned(),
            };
            encoder.reject(&reject, &provenance(0));
            Ok(Taken::default())
        }
    }
}

/// Decodes the documents in `bytes`. When one needs what the lake has of a day that is not loaded, the day is loaded and
/// decoding starts again behind the documents already taken; that happens once a day.
async fn documents(
    encoder: &mut Encoder,
    bytes: &Bytes,
    provenance: Provenance<'_>,
) -> Result<(), LakeError> {
    let mut taken = 0;
    loop {
        let (mut item, mut waits, mut failure) = (0, false, None);
        finding::decode(bytes, &mut |_, decoded| {
            let provenance = Provenance { item, ..provenance };
            item += 1;
            if item <= taken || waits || failure.is_some() {
                return;
            }
            match decoded {
                Decoded::Finding(finding) => match encoder.try_append(&finding, &provenance) {
                    Ok(Some(_)) => {}
                    Ok(None) => waits = true,
                    Err(error) => failure = Some(error),
                },
                Decoded::Skipped => encoder.skip(),
                Decoded::Reject(reject) => encoder.reject(&reject, &provenance),
            }
            taken += u32::from(!waits);
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if !waits {
            return Ok(());
        }
        encoder.load_wanted().await?;
    }
}
