//! The guided tour: one finding from its bytes to the words on a terminal, and every noun on the way.

use alerts::{Event, fold};
use finding::{Decoded, Label, decode};
use jobs::{Library, Limits, Session, rules, run_alerts};
use lake::{
    Appended, Lake, Move, Position, Provenance, SequenceNumber, ShardKey, Table, WriterOptions,
};

use crate::support::folder;

/// An EventBridge event: a finding in its envelope, as it lies in a Kinesis record. The user name is an attacker's.
const RECORD: &str = r#"{"version":"0","id":"c8c4daa7-a20c-2f03-0070-b7393dd542ad","detail-type":"GuardDuty Finding","source":"aws.guardduty","account":"999999999999","time":"1970-01-01T00:00:00Z","region":"eu-central-1","resources":[],"detail":{"schemaVersion":"2.0","accountId":"012345678901","region":"eu-central-1","partition":"aws","id":"16afba5c5c43e07c9e3e5e2e544e95df","arn":"arn:aws:guardduty:eu-central-1:012345678901:detector/d1/finding/16afba5c5c43e07c9e3e5e2e544e95df","type":"UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom","resource":{"resourceType":"AccessKey","accessKeyDetails":{"accessKeyId":"AKIA1","userName":"eve\u001b[2J<!channel>","userType":"IAMUser"}},"service":{"serviceName":"guardduty","detectorId":"d1","action":{"actionType":"AWS_API_CALL","awsApiCallAction":{"api":"ListUsers","serviceName":"iam.amazonaws.com","remoteIpDetails":{"ipAddressV4":"198.51.100.7","country":{"countryName":"Iceland"}}}},"eventFirstSeen":"2026-11-21T09:00:00Z","eventLastSeen":"2026-11-21T10:00:00.500Z","archived":false,"count":3},"severity":8,"createdAt":"2026-11-21T09:01:00.000Z","updatedAt":"2026-11-21T10:01:00.000Z","title":"An API was called by\u202e evil","description":"d"}}"#;

const NOW: i64 = 1_795_255_500_000_000; // 2026-11-21T10:05:00Z

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_finding_walks_from_its_record_to_the_doorbell() {
    // The lake is made where there is none.
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let mut writer = lake
        .writer(WriterOptions::default())
        .await
        .expect("a writer");
    let mut encoder = writer.encoder();

    // Record -> Finding: decoding borrows from the record and cannot fail.
    let shard = ShardKey {
        source: "arn:aws:kinesis:eu-central-1:1:stream/s@1".into(),
        shard_id: "shardId-000000000000".into(),
    };
    let sequence = "49590338271490256608559692538361571095921575989136588898";
    let mut seen = Vec::new();
    let record = RECORD.as_bytes().to_vec();
    tokio::task::block_in_place(|| {
        decode(&record, &mut |at, decoded| {
            let Decoded::Finding(finding) = decoded else {
                panic!("a finding, not {decoded:?}")
            };
            assert_eq!((at.offset, at.item), (0, 0));
            assert_eq!(
                finding.account_id, "012345678901",
                "the member's account, not the envelope's"
            );
            assert_eq!(finding.severity_label, Some(Label::High));
            assert_eq!(finding.remote_ip(), Some("198.51.100.7"));

            // Finding -> Batch: appended to the columns of its day, unless the lake has this version.
            let provenance = Provenance {
                source: &shard.source,
                shard_id: Some(&shard.shard_id),
                sequence_number: Some(sequence),
                sub_sequence: Some(0),
                item: at.item,
                arrived_at: None,
                ingested_at: NOW,
                backfilled: false,
            };
            for _ in 0..2 {
                seen.push(encoder.append(&finding, &provenance).expect("a row"));
            }
        });
    });
    assert_eq!(seen, [Appended::New, Appended::Duplicate]);

    // Batch -> Lake: rows and the position of what was read in one commit.
    let position = Position::at(SequenceNumber::parse(sequence).expect("a number"), 0);
    let batch = tokio::task::block_in_place(|| encoder.finish()).expect("a batch");
    let committed = writer
        .commit(batch, &[moved(&shard, None, &position)])
        .await
        .expect("a commit");
    assert!(committed.ledger.balances());
    assert_eq!(
        (committed.ledger.committed, committed.ledger.duplicate),
        (1, 1)
    );
    // Whoever starts next, on any machine, goes on behind it.
    let next = lake
        .writer(WriterOptions::default())
        .await
        .expect("a writer");
    assert_eq!(next.position(&shard), Some(position.clone()));

    // A writer that has not seen this commit is refused: nothing is stored twice, not even by a zombie.
    let mut late = lake
        .writer(WriterOptions::default())
        .await
        .expect("a writer");
    let further = Position::at(
        SequenceNumber::parse(&format!("{sequence}1")).expect("a number"),
        0,
    );
    let empty = || tokio::task::block_in_place(|| next.encoder().finish()).expect("a batch");
    writer
        .commit(empty(), &[moved(&shard, Some(&position), &further)])
        .await
        .expect("a commit");
    let refused = late
        .commit(empty(), &[moved(&shard, Some(&position), &further)])
        .await;
    assert!(
        matches!(refused, Err(lake::LakeError::PositionMoved { .. })),
        "{refused:?}"
    );

    // Lake -> Observation -> Alert: SQL selects, Rust sweeps, the log says what happened.
    let library = Library::built_in();
    let session = Session::open(&lake, &library, &Limits::default())
        .await
        .expect("a session");
    assert_eq!(session.version(Table::Findings), Some(writer.version()));
    let files = rules::load(&library).into_iter();
    let rules: Vec<_> = files
        .map(|file| file.rule.expect("built-in rules are right"))
        .collect();
    let report = run_alerts(&lake, &session, &rules, &[], NOW, 86_400_000_000)
        .await
        .expect("a report");
    assert_eq!(report.count(Event::Opened), 1);
    let alerts = fold(lake.alert_events().await.expect("a log"));
    assert_eq!(alerts[0].rule, "new_high_or_critical_finding");
    assert_eq!(alerts[0].findings, ["16afba5c5c43e07c9e3e5e2e544e95df"]);

    // Alert -> Message: nothing in a finding reaches a terminal as a control code.
    let message = notifier::stdout_text(&alerts[0]);
    assert!(
        message.contains("012345678901") && message.contains("High") | message.contains("HIGH"),
        "{message}"
    );
    assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");

    // Told once: a second look at the same findings has nothing to say.
    let again = run_alerts(&lake, &session, &rules, &[], NOW, 86_400_000_000)
        .await
        .expect("a report");
    assert_eq!((again.events.len(), again.told().count()), (0, 0));
}

/// A version that another writer stores while two of our batches hold it is left out of both, not only of the first to be
/// committed: nothing overtakes the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_filled_before_another_writer_came_first_stores_nothing_twice() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let mut ours = lake
        .writer(WriterOptions::default())
        .await
        .expect("a writer");
    let mut theirs = lake
        .writer(WriterOptions::default())
        .await
        .expect("a writer");
    let batch_of = |writer: &lake::Writer, ids: &[&str]| {
        let mut encoder = writer.encoder();
        tokio::task::block_in_place(|| {
            for id in ids {
                let record = RECORD.replace("16afba5c5c43e07c9e3e5e2e544e95df", id);
                decode(record.as_bytes(), &mut |at, decoded| {
                    let Decoded::Finding(finding) = decoded else {
                        panic!("a finding")
                    };
                    let provenance = Provenance {
                        source: "file:///f",
                        shard_id: None,
                        sequence_number: None,
                        sub_sequence: None,
                        item: at.item,
                        arrived_at: None,
                        ingested_at: NOW,
                        backfilled: false,
                    };
                    encoder.append(&finding, &provenance).expect("a row");
                });
            }
            encoder.finish().expect("a batch")
        })
    };
    let first = batch_of(&ours, &["a", "b"]);
    let second = batch_of(&ours, &["c", "d"]);
    let other = batch_of(&theirs, &["a", "c"]);
    theirs.commit(other, &[]).await.expect("a commit");
    let ended =
        |committed: lake::Committed| (committed.ledger.committed, committed.ledger.duplicate);
    assert_eq!(
        ended(ours.commit(first, &[]).await.expect("a commit")),
        (1, 1)
    );
    assert_eq!(
        ended(ours.commit(second, &[]).await.expect("a commit")),
        (1, 1)
    );
    let found = lake.verify().await.expect("a look");
    assert_eq!((found.rows, found.problems), (4, vec![]));
}

fn moved(shard: &ShardKey, from: Option<&Position>, to: &Position) -> Move {
    Move {
        shard: shard.clone(),
        from: from.cloned(),
        to: to.clone(),
    }
}
