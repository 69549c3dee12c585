//! Findings in any batches and order, late ones and updates among them, looked at by evaluators that remember, that start anew and that
//! run at once, over a lake that is compacted meanwhile: in the end the log says what looking at everything once says.

use std::time::Duration;

use alerts::{Look, Rule, fold};
use finding::Finding;
use lake::{Lake, Provenance, WriterOptions};
use proptest::prelude::*;

use super::DAY;
use crate::watch::recent::MOST_FINDINGS;
use crate::watch::{Evaluator, plan_rule, run_alerts};
use crate::{Library, Limits, Session, evaluate};

pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const START: i64 = DAY * 20_000;
/// Half of the findings are older than what is held in memory, where not all are.
pub(super) const NOW: i64 = START + 3 * DAY;

/// One version of a finding.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) account: u8,
    pub(super) finding: u8,
    pub(super) update: u8,
    pub(super) minute: i64,
    /// How many minutes after its update it was seen: versions follow each other by their updates.
    pub(super) seen_after: i64,
    pub(super) count: i64,
    pub(super) ips: Vec<u8>,
    pub(super) buckets: Vec<u8>,
    pub(super) kind: u8,
}

fn version() -> impl Strategy<Value = Version> {
    let some = || prop::collection::btree_set(0..3_u8, 0..3);
    let minute = prop_oneof![2 => 0..180_i64, 2 => 3_800..4_200_i64, 1 => 0..4_300_i64];
    (
        0..2_u8,
        0..5_u8,
        0..4_u8,
        minute,
        1..6_i64,
        (some(), some(), 0..4_u8),
        prop_oneof![2 => Just(0), 1 => -200..200_i64],
    )
        .prop_map(
            |(account, finding, update, minute, count, (ips, buckets, kind), seen_after)| Version {
                account,
                finding,
                update,
                minute,
                seen_after,
                count,
                ips: ips.into_iter().collect(),
                buckets: buckets.into_iter().collect(),
                kind,
            },
        )
}

fn rules() -> Vec<Rule> {
    let step = "CASE kind WHEN 'T0' THEN 'a' WHEN 'T1' THEN 'b' WHEN 'T2' THEN 'c' END AS step";
    [
        "group_by: [remote_ip]\nthreshold: 3\nwindow: 40m\nsuppress_for: 1h",
        "group_by: [account_id]\ncount: occurrences\nthreshold: 6\nwindow: 2h",
        "group_by: [type]\ncount: distinct(account_id)\nthreshold: 2\nwindow: 3h",
        "group_by: [bucket_names]\ncount: versions\nthreshold: \">= 2, <= 4\"\nwindow: 1h",
        "group_by: [account_id]\ncount: distinct(bucket_names)\nthreshold: 3\nwindow: 1h",
        "group_by: [account_id]\nkind: new_terms\nterm: [type, remote_ip]\nlookback: 1d\nmin_history: 1h",
        "group_by: []\nkind: sequence\nsteps: [a, b, c]\nwindow: 4h",
        "group_by: [remote_ip]\nnull_groups: keep\nkind: sequence\ncondition: a and not b\nsteps: [a, b]\nwindow: 1h",
        "group_by: [account_id]\nkind: rate\nthreshold: 3\nwindow: 1h\nbaseline: 6h\nmin_history: 1h\nfactor: 2",
        "group_by: [account_id]\ncount: avg(severity)\nthreshold: \"> 3.5\"\nwindow: 1h",
        "group_by: [account_id]\nkind: absence\nthreshold: 2\nlookback: 5h\nwindow: 6h",
        "group_by: [type, remote_ip]\nkind: absence\nthreshold: 1\nlookback: 1h\nwindow: 2h\nsuppress_for: 3h",
        "group_by: [type]\ncount: occurrences\nthreshold: 4\nwindow: 30m",
        "group_by: [remote_ip]\nkind: sequence\nordered: false\nsteps: [{step: a, count: occurrences, threshold: 3, window: 1h}, b]\nwindow: 3h",
    ]
    .iter()
    .enumerate()
    .map(|(nth, header)| {
        let step = step.replace("kind", "type");
        let text = format!("/*\ntitle: t\nseverity: low\n{header}\n*/\nSELECT *, {step} FROM observations");
        Rule::parse(&format!("r{nth}"), &text).unwrap_or_else(|error| panic!("{error}"))
    })
    .collect()
}

pub(super) async fn store(lake: &Lake, versions: &[Version]) {
    let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
    let mut encoder = writer.encoder();
    for (item, version) in versions.iter().enumerate() {
        let (id, account) = (
            format!("{:032x}", version.finding),
            format!("{:012}", version.account),
        );
        let words =
            |name: &str, of: &[u8]| of.iter().map(|n| format!("{name}{n}").into()).collect();
        // The version of an update is always the same, and with it when that was.
        let time = START + (version.minute + i64::from(version.update)) * MINUTE;
        let finding = Finding {
            account_id: account.as_str().into(),
            region: "eu-west-1".into(),
            finding_id: id.as_str().into(),
            finding_type: Some(format!("T{}", version.kind).into()),
            severity: Some(f64::from(version.kind) + 2.0),
            remote_ips: words("198.51.100.", &version.ips),
            bucket_names: words("b", &version.buckets),
            count: Some(version.count),
            updated_at: Some(time),
            event_last_seen: Some(time + version.seen_after * MINUTE),
            raw: "{}".into(),
            ..Finding::default()
        };
        let provenance = Provenance {
            source: "file:///test",
            shard_id: None,
            sequence_number: None,
            sub_sequence: None,
            item: item as u32,
            arrived_at: None,
            ingested_at: NOW,
            backfilled: false,
        };
        tokio::task::block_in_place(|| encoder.append(&finding, &provenance)).unwrap();
    }
    let batch = tokio::task::block_in_place(|| encoder.finish()).unwrap();
    writer.commit(batch, &[]).await.unwrap();
}

/// Which evaluator looks after a batch.
#[derive(Debug, Clone, Copy)]
enum Who {
    Nobody,
    TheSame,
    ANewOne,
    TwoAtOnce,
    /// Each of half of the rules.
    TwoLanes,
}

pub(super) async fn session_now(lake: &Lake) -> Session {
    let (library, limits) = (Library::built_in(), Limits::default());
    Session::open(lake, &library, &limits).await.unwrap()
}

/// How the evaluator goes about it: whether rules rest that took long, and from how many new rows on groups are looked through for hopeless ones,
/// and how many findings are all held in memory.
#[derive(Debug, Clone, Copy)]
struct Ways {
    rests: bool,
    few: usize,
    most: u64,
}

async fn live(versions: &[Version], batches: &[(usize, Who, bool, u8)], ways: Ways) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path().to_str().unwrap())
        .await
        .unwrap();
    let (library, limits, rules) = (Library::built_in(), Limits::default(), rules());
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    evaluator.few = ways.few;
    evaluator.most = ways.most;
    let mut rest = versions;
    // Some of the findings are of the future yet when looks begin.
    let mut now = NOW - 3 * DAY;
    for (nth, (size, who, compact, hours)) in batches
        .iter()
        .copied()
        .chain([(versions.len(), Who::TheSame, false, 0)])
        .enumerate()
    {
        now = (now + i64::from(hours) * 60 * MINUTE).min(NOW);
        let longest = match ways.rests && nth < batches.len() {
            true => Duration::from_secs(3_600),
            false => Duration::ZERO,
        };
        evaluator.let_rest(longest);
        let (batch, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        store(&lake, batch).await;
        if compact {
            lake.compact(lake::CompactOptions::default()).await.unwrap();
        }
        let session = Session::open(&lake, &library, &limits).await.unwrap();
        let look = || run_alerts(&lake, &session, &rules, &[], now, i64::MAX);
        let reports = match who {
            Who::Nobody => vec![],
            Who::TheSame => vec![evaluator.look(&session, &rules, &[], now).await.unwrap()],
            Who::ANewOne => vec![look().await.unwrap()],
            Who::TwoAtOnce => {
                let (one, other) = tokio::join!(look(), evaluator.look(&session, &rules, &[], now));
                vec![one.unwrap(), other.unwrap()]
            }
            Who::TwoLanes => {
                let (some, others) = rules.split_at(rules.len() / 2);
                let half = |rules| run_alerts(&lake, &session, rules, &[], now, i64::MAX);
                let (one, other) = tokio::join!(half(some), half(others));
                vec![one.unwrap(), other.unwrap()]
            }
        };
        for report in reports {
            assert!(report.failed.is_empty(), "{:?}", report.failed);
        }
    }
    // It looked more than once, and answered from memory where it could.
    evaluator
        .look(&session_now(&lake).await, &rules, &[], NOW)
        .await
        .unwrap();
    assert!(evaluator.recent.version().is_some());
    let session = session_now(&lake).await;
    let events = lake.alert_events().await.unwrap();
    let opened = events.iter().filter(|event| event.seq == 0);
    let mut ids: Vec<&str> = opened.map(|event| event.alert_id.as_str()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|two| two[0] != two[1]), "opened twice");
    let alerts = fold(events);
    for rule in &rules {
        let checked = crate::rules::checked(&session, rule).await.unwrap();
        let fired = evaluate(&session, &checked, NOW).await.unwrap();
        let missing = plan_rule(&checked, &fired, &alerts, &Look::at_all(NOW, 1, i64::MAX));
        assert_eq!(missing, [], "{} differs", rule.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn however_findings_come_the_log_says_what_everything_says(
        versions in prop::collection::vec(version(), 8..50),
        batches in prop::collection::vec(
            (1..12_usize, prop::sample::select(vec![Who::Nobody, Who::TheSame, Who::TheSame, Who::ANewOne, Who::TwoAtOnce, Who::TwoLanes]), any::<bool>(), 0..20_u8),
            2..7,
        ),
        ways in (any::<bool>(), prop::sample::select(vec![0, 5, 10_000]), prop::sample::select(vec![0, MOST_FINDINGS]))
            .prop_map(|(rests, few, most)| Ways { rests, few, most }),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(&versions, &batches, ways));
    }
}
