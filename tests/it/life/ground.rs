//! A lake with findings of our choice, and what is asked of it.

use alerts::{Alert, AlertEvent, Rule, Suppression, fold};
use jobs::{Library, Limits, Report, Session, run_alerts};
use lake::Lake;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 1_440 * MINUTE;
/// 2026-11-21T10:00:00Z
pub(crate) const NOW: i64 = 1_795_255_200 * SECOND;

/// A rule that counts findings of one address.
pub(crate) fn rule(id: &str, threshold: u64, more: &str) -> Rule {
    let header = format!(
        "title: Burst\nseverity: high\ngroup_by: [remote_ip]\nthreshold: {threshold}\nwindow: 10m\nsuppress_for: 1h\n{more}"
    );
    let text = format!("/*\n{header}\n*/\nSELECT * FROM observations");
    Rule::parse(id, &text).expect("a rule")
}

/// A finding: its number, when, and the number of its address.
pub(crate) type Seen = (u32, i64, u32);

/// Stores findings in one commit. The account follows from the number, the type from the address.
pub(crate) async fn store(lake: &Lake, findings: &[Seen]) {
    let mut writer = lake
        .writer(lake::WriterOptions::default())
        .await
        .expect("a writer");
    let mut encoder = writer.encoder();
    let batch = tokio::task::block_in_place(|| {
        for &(number, time, address) in findings {
            let (id, account) = (format!("{number:032x}"), format!("{:012}", number % 3));
            let finding = finding::Finding {
                account_id: account.as_str().into(),
                region: "eu-west-1".into(),
                finding_id: id.as_str().into(),
                finding_type: Some("Recon:EC2/PortProbeUnprotectedPort".into()),
                severity: Some(2.0),
                remote_ips: vec![ip(address).into()],
                count: Some(1),
                updated_at: Some(time),
                event_last_seen: Some(time),
                raw: "{}".into(),
                ..finding::Finding::default()
            };
            let provenance = lake::Provenance {
                source: "file:///test",
                shard_id: None,
                sequence_number: None,
                sub_sequence: None,
                item: number,
                arrived_at: None,
                ingested_at: NOW,
                backfilled: false,
            };
            encoder.append(&finding, &provenance).expect("a row");
        }
        encoder.finish()
    });
    let batch = batch.expect("a batch");
    writer.commit(batch, &[]).await.expect("a commit");
}

pub(crate) fn ip(address: u32) -> String {
    std::net::Ipv4Addr::from_bits(0xC633_0000 + address).to_string()
}

/// `count` findings of one address, a second apart, the last at `end`.
pub(crate) fn burst(from: u32, count: u32, end: i64, address: u32) -> Vec<Seen> {
    let at = |n: u32| end - i64::from(count - 1 - n) * SECOND;
    (0..count).map(|n| (from + n, at(n), address)).collect()
}

/// Looks at the lake as it is and brings its log in line.
pub(crate) async fn evaluate(lake: &Lake, rules: &[Rule], now: i64) -> Report {
    evaluate_with(lake, rules, &[], now).await
}

pub(crate) async fn evaluate_with(
    lake: &Lake,
    rules: &[Rule],
    suppressions: &[Suppression],
    now: i64,
) -> Report {
    let session = session(lake).await;
    let report = run_alerts(lake, &session, rules, suppressions, now, DAY)
        .await
        .expect("a report");
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    report
}

pub(crate) async fn session(lake: &Lake) -> Session {
    Session::open(lake, &Library::built_in(), &Limits::default())
        .await
        .expect("a session")
}

pub(crate) async fn log(lake: &Lake) -> Vec<AlertEvent> {
    lake.alert_events().await.expect("a log")
}

pub(crate) async fn alerts(lake: &Lake) -> Vec<Alert> {
    fold(log(lake).await)
}

/// Nothing in the log is there twice, no alert lacks a step, and none rang for the same thing twice.
pub(crate) fn check_log(events: &[AlertEvent]) {
    let mut by_alert = std::collections::BTreeMap::<&str, Vec<&AlertEvent>>::new();
    for event in events {
        by_alert.entry(&event.alert_id).or_default().push(event);
    }
    for (id, mut events) in by_alert {
        events.sort_by_key(|event| event.seq);
        let steps: Vec<i64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(steps, (0..steps.len() as i64).collect::<Vec<_>>(), "{id}");
        let opened = events.iter().filter(|e| e.event == alerts::Event::Opened);
        assert_eq!(opened.count(), 1, "{id}");
        for event in events {
            // A bell says what was told with it, and never for history or what is hidden.
            assert!(!event.rings || event.told.is_some(), "{id}");
            let hidden = event.historic || event.suppressed_by.is_some();
            assert!(!(event.rings && hidden), "{id}");
        }
    }
}
