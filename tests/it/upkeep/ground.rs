//! What the tests of upkeep stand on: a lake in memory with a clock of its own, batches to store, and all rows as text.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use finding::{Decoded, decode};
use futures::TryStreamExt;
use jobs::{Given, Library, Limits, Session};
use lake::{
    Batch, Committed, Ids, Lake, Move, Provenance, Surroundings, Table, Writer, WriterOptions,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sample::{Document, Generator, Options};

use super::gate::Gate;

pub(crate) const DAY: i64 = 86_400_000_000;

/// A lake in memory. The store's clock is the machine's; the lake's runs ahead of it by as many days as have passed.
pub(crate) struct Ground {
    pub(crate) store: Arc<Gate>,
    pub(crate) lake: Lake,
    days: Arc<AtomicI64>,
}

impl Ground {
    pub(crate) async fn new() -> Ground {
        let store = Arc::new(Gate::new());
        let days = Arc::new(AtomicI64::new(0));
        let lake = open(&store, &days).await;
        Ground { store, lake, days }
    }

    /// The same lake as another process sees it.
    pub(crate) async fn reopened(&self) -> Lake {
        open(&self.store, &self.days).await
    }

    pub(crate) fn pass_days(&self, days: i64) {
        self.days.fetch_add(days, Ordering::Relaxed);
    }

    /// Objects of `findings` whose path contains a text, in order.
    pub(crate) async fn objects(&self, containing: &str) -> Vec<Path> {
        let folder = Path::from("findings");
        let objects: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .expect("a listing");
        let mut paths: Vec<_> = objects
            .into_iter()
            .map(|object| object.location)
            .filter(|path| path.as_ref().contains(containing))
            .collect();
        paths.sort();
        paths
    }

    pub(crate) async fn bytes(&self, path: &Path) -> bytes::Bytes {
        let got = self.store.get(path).await.expect("an object");
        got.bytes().await.expect("its bytes")
    }
}

async fn open(store: &Arc<Gate>, days: &Arc<AtomicI64>) -> Lake {
    let days = days.clone();
    let machine = Surroundings::default();
    let surroundings = Surroundings {
        now: Arc::new(move || (machine.now)() + days.load(Ordering::Relaxed) * DAY),
        ids: Ids::random(),
        checkpoints: false,
    };
    Lake::open_in(store.clone(), surroundings)
        .await
        .expect("a lake")
}

/// Made findings of three days.
pub(crate) fn documents(findings: u64, seed: u64) -> Vec<Document> {
    Generator::new(Options {
        findings,
        seed,
        accounts: 5,
        days: 3,
        every_type: false,
        ..Options::default()
    })
    .collect()
}

pub(crate) async fn writer(lake: &Lake) -> Writer {
    lake.writer(WriterOptions::default())
        .await
        .expect("a writer")
}

/// A batch of some documents, not yet committed.
pub(crate) fn batch(writer: &Writer, documents: &[Document]) -> Batch {
    let mut encoder = writer.encoder();
    tokio::task::block_in_place(|| {
        for document in documents {
            decode(&document.bytes, &mut |at, decoded| {
                let Decoded::Finding(finding) = decoded else {
                    panic!("a finding")
                };
                let provenance = Provenance {
                    source: "file:///made",
                    shard_id: None,
                    sequence_number: None,
                    sub_sequence: None,
                    item: at.item,
                    arrived_at: None,
                    ingested_at: 1,
                    backfilled: false,
                };
                encoder.append(&finding, &provenance).expect("a row");
            });
        }
        encoder.finish().expect("a batch")
    })
}

/// Stores documents in one commit.
pub(crate) async fn store(writer: &mut Writer, documents: &[Document]) -> Committed {
    let batch = batch(writer, documents);
    writer.commit(batch, &[]).await.expect("a commit")
}

/// A commit of positions alone.
pub(crate) async fn moves(writer: &mut Writer, moves: &[Move]) {
    let nothing = batch(writer, &[]);
    writer.commit(nothing, moves).await.expect("a commit");
}

/// Stores many batches, each in a commit of its own; returns all rows.
pub(crate) async fn stored_in_pieces(
    lake: &Lake,
    documents: &[Document],
    size: usize,
) -> Vec<String> {
    let mut writer = writer(lake).await;
    for piece in documents.chunks(size) {
        store(&mut writer, piece).await;
    }
    rows(lake).await
}

/// Every column of every row of `findings`, sorted.
pub(crate) async fn rows(lake: &Lake) -> Vec<String> {
    let session = Session::open(lake, &Library::built_in(), &Limits::default())
        .await
        .expect("a session");
    let answer = session.sql("SELECT * FROM findings", &Given::new()).await;
    let batches = answer.expect("rows").collect().await.expect("rows");
    let options = FormatOptions::new().with_null("null");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("it can be shown"))
            .collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    rows
}

/// The rows are these, as delta-rs and as our own reader count them, and nothing is wrong with the lake.
#[track_caller]
pub(crate) fn check(lake: &Lake, expected: &[String]) {
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            let found = rows(lake).await;
            assert_eq!(found.len(), expected.len());
            assert!(found == expected, "rows have changed");
            let verified = lake.verify().await.expect("a look");
            assert_eq!(
                (verified.rows, verified.problems),
                (expected.len() as u64, vec![])
            );
        });
    });
}

/// How many data files `findings` has.
pub(crate) async fn files(lake: &Lake) -> u64 {
    let tables = lake.info().await.expect("a look");
    let info = tables.iter().find(|info| info.table == Table::Findings);
    info.expect("the table").files
}
