//! What the generator promises, checked on the documents alone with `serde_json`.

mod reading;

use std::collections::{BTreeMap, HashMap, HashSet};

use reading::{check_action, details, pascal, remote_ips, same_but_for_epochs};
use sample::{
    Burst, BurstKind, Document, Generator, Options, Shape, Truth, accounts, active_types, hostile,
};
use serde_json::Value;

const SHAPES: [Shape; 3] = [Shape::EventBridge, Shape::Export, Shape::GetFindings];
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

fn make(options: Options) -> Vec<Document> {
    Generator::new(options).collect()
}

fn truths(options: Options) -> Vec<Truth> {
    make(options)
        .into_iter()
        .flat_map(|document| document.truths)
        .collect()
}

/// Account, Region, id, updated whole second, count.
fn version(truth: &Truth) -> (String, String, String, i64, u64) {
    let Truth {
        account_id,
        region,
        finding_id,
        ..
    } = truth.clone();
    (
        account_id,
        region,
        finding_id,
        truth.updated_at.div_euclid(1_000_000),
        truth.count,
    )
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for shape in SHAPES {
        let options = Options {
            findings: 1_500,
            shape,
            ..Options::default()
        };
        let first = make(options.clone());
        assert_eq!(first, make(options.clone()));
        assert_ne!(first, make(Options { seed: 2, ..options }));
    }
}

#[test]
fn as_many_findings_as_asked_for() {
    for findings in [0, 1, 2, 49, 50, 51, 700] {
        for shape in SHAPES {
            for accounts in [0, 1, 300] {
                let options = Options {
                    shape,
                    ..Options::demo(findings, accounts, 3, 1_782_864_000_000_000)
                };
                let documents = make(options);
                let made: usize = documents.iter().map(|document| document.truths.len()).sum();
                assert_eq!(made as u64, findings, "{shape:?} {accounts}");
                assert!(
                    documents
                        .iter()
                        .all(|d| d.partition_key == d.truths[0].finding_id)
                );
            }
        }
    }
}

#[test]
fn every_active_type_appears() {
    assert_eq!(active_types().count(), 204);
    for findings in [1_000, 4_000] {
        let made: HashSet<String> = truths(Options {
            findings,
            accounts: 5,
            ..Options::default()
        })
        .into_iter()
        .map(|truth| truth.finding_type)
        .collect();
        let missing: Vec<_> = active_types()
            .filter(|name| !made.contains(*name))
            .collect();
        assert!(missing.is_empty(), "of {findings}: {missing:?}");
    }
}

#[test]
fn truths_match_the_json_in_every_shape() {
    for shape in SHAPES {
        let options = Options {
            findings: 3_000,
            shape,
            sample_ratio: 0.1,
            hostile_ratio: 0.1,
            ..Options::default()
        };
        for document in make(options) {
            let found = details(&document.bytes, shape);
            assert_eq!(found.len(), document.truths.len());
            for (detail, truth) in found.iter().zip(&document.truths) {
                let get = |path: &str| detail.pointer(path).cloned().unwrap_or(Value::Null);
                assert_eq!(get("/accountId"), truth.account_id);
                assert_eq!(get("/region"), truth.region);
                assert_eq!(get("/id"), truth.finding_id);
                assert_eq!(get("/type"), truth.finding_type);
                assert_eq!(get("/severity").as_f64(), Some(truth.severity));
                assert_eq!(get("/service/count"), truth.count);
                assert_eq!(
                    reading::micros(&get("/service/eventLastSeen")),
                    truth.event_time
                );
                assert_eq!(reading::micros(&get("/updatedAt")), truth.updated_at);
                assert_eq!(reading::micros(&get("/createdAt")), truth.created_at);
                let mut ips = truth.remote_ips.clone();
                ips.sort();
                assert_eq!(remote_ips(detail), ips);
                assert_eq!(reading::is_sample(detail), truth.sample);
                check_action(detail);
            }
        }
    }
}

#[test]
fn get_findings_is_the_export_in_other_words() {
    let options = Options {
        findings: 1_200,
        hostile_ratio: 0.2,
        ..Options::default()
    };
    let camel = make(Options {
        shape: Shape::Export,
        ..options.clone()
    });
    let other = make(Options {
        shape: Shape::GetFindings,
        ..options
    });
    let other: Vec<Value> = other
        .iter()
        .flat_map(|page| {
            let page: Value = serde_json::from_slice(&page.bytes).unwrap();
            page["Findings"].as_array().unwrap().clone()
        })
        .collect();
    assert_eq!(camel.len(), other.len());
    for (line, document) in camel.iter().zip(other) {
        let line: Value = serde_json::from_slice(&line.bytes).unwrap();
        same_but_for_epochs(&pascal(&line, ""), &document);
    }
}

#[test]
fn versions_are_distinct_counts_grow_and_duplicates_are_the_same_detail() {
    let options = Options {
        findings: 8_000,
        duplicate_ratio: 0.1,
        ..Options::default()
    };
    let mut seen: HashMap<_, (Value, String)> = HashMap::new();
    let mut updates: BTreeMap<String, Vec<(i64, u64, i64)>> = BTreeMap::new();
    let mut duplicates = 0;
    for document in make(options) {
        let event: Value = serde_json::from_slice(&document.bytes).unwrap();
        let truth = &document.truths[0];
        let envelope = event["id"].as_str().unwrap().to_owned();
        match seen.get(&version(truth)) {
            Some((detail, id)) => {
                assert!(truth.duplicate);
                assert_eq!(*detail, event["detail"]);
                assert_ne!(*id, envelope);
                duplicates += 1;
            }
            None => {
                assert!(!truth.duplicate);
                let history = updates.entry(truth.finding_id.clone()).or_default();
                history.push((truth.updated_at, truth.count, truth.event_time));
                seen.insert(version(truth), (event["detail"].clone(), envelope));
            }
        }
    }
    assert!(
        (500..1_100).contains(&duplicates),
        "{duplicates} duplicates"
    );
    let updated = updates.values().filter(|history| history.len() > 1).count();
    assert!(updated > 1_000, "{updated} findings were updated");
    for mut history in updates.into_values() {
        history.sort_unstable();
        for pair in history.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            assert!(
                later.0 >= earlier.0 + 15 * MINUTE && later.1 > earlier.1 && later.2 > earlier.2
            );
        }
    }
}

#[test]
fn some_arrive_late_and_the_others_about_in_order() {
    let options = Options {
        findings: 8_000,
        duplicate_ratio: 0.0,
        late_ratio: 0.05,
        ..Options::default()
    };
    let (start, end) = (options.end - 30 * 24 * HOUR, options.end);
    let (mut newest, mut late) = (i64::MIN, 0);
    for truth in truths(options) {
        assert!((start..=end).contains(&truth.event_time) && truth.updated_at <= end);
        assert!(truth.updated_at >= truth.event_time && truth.created_at <= truth.updated_at);
        if truth.event_time < newest {
            late += 1;
            assert!(truth.event_time > newest - 14 * HOUR);
        }
        newest = newest.max(truth.event_time);
    }
    assert!((250..600).contains(&late), "{late} late");
}

#[test]
fn bursts_are_what_they_say() {
    let end = 1_782_864_000_000_000;
    let options = Options::demo(20_000, 40, 11, end);
    let bursts = options.bursts.clone();
    let names: Vec<String> = accounts(11, 40)
        .into_iter()
        .map(|account| account.id)
        .collect();
    let made: Vec<Truth> = truths(options)
        .into_iter()
        .filter(|truth| !truth.duplicate)
        .collect();
    for burst in &bursts {
        let inside =
            |truth: &&Truth| (burst.start..=burst.start + burst.within).contains(&truth.event_time);
        let by_ip = |ip: &std::net::IpAddr| -> Vec<&Truth> {
            let all: Vec<_> = made
                .iter()
                .filter(|truth| truth.remote_ips.contains(&ip.to_string()))
                .collect();
            assert!(
                all.iter().all(inside),
                "all findings of the address lie in the burst"
            );
            all
        };
        let distinct = |found: &[&Truth]| {
            found
                .iter()
                .map(|t| &t.finding_id)
                .collect::<HashSet<_>>()
                .len()
        };
        match &burst.kind {
            BurstKind::OneRemoteIp { ip, account } => {
                let found = by_ip(ip);
                assert_eq!(distinct(&found), burst.findings as usize);
                assert!(
                    found
                        .iter()
                        .all(|truth| truth.account_id == names[*account as usize])
                );
            }
            BurstKind::OneIpManyAccounts { ip, accounts } => {
                let found = by_ip(ip);
                let touched: HashSet<_> = found.iter().map(|truth| &truth.account_id).collect();
                assert_eq!(touched.len(), *accounts as usize);
            }
            BurstKind::OneAccount { account } => {
                let of_account = made
                    .iter()
                    .filter(inside)
                    .filter(|t| t.account_id == names[*account as usize]);
                assert!(distinct(&of_account.collect::<Vec<_>>()) >= burst.findings as usize);
            }
            BurstKind::Severe => {
                let severe: Vec<_> = made
                    .iter()
                    .filter(inside)
                    .filter(|truth| truth.severity >= 7.0)
                    .collect();
                assert!(severe.len() >= burst.findings as usize);
                assert!(severe.iter().filter(|truth| truth.severity >= 9.0).count() >= 2);
            }
        }
    }
}

#[test]
fn the_background_alone_does_not_look_like_a_burst() {
    let options = Options {
        bursts: Vec::new(),
        ..Options::demo(60_000, 40, 5, 1_782_864_000_000_000)
    };
    let mut by_ip: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    for truth in truths(options) {
        for ip in truth.remote_ips {
            by_ip
                .entry(ip)
                .or_default()
                .push((truth.event_time, truth.finding_id.clone()));
        }
    }
    let busiest = by_ip.values().map(Vec::len).max().unwrap();
    assert!(busiest > 300, "the noisiest address has {busiest} versions");
    for mut events in by_ip.into_values() {
        events.sort_unstable();
        for (at, (time, _)) in events.iter().enumerate() {
            let window = events[..=at]
                .iter()
                .rev()
                .take_while(|(earlier, _)| *earlier > time - 10 * MINUTE);
            let findings: HashSet<_> = window.map(|(_, id)| id).collect();
            assert!(findings.len() < 10);
        }
    }
}

#[test]
fn severe_findings_are_few_in_the_demo() {
    let made = truths(Options::demo(50_000, 40, 1, 1_782_864_000_000_000));
    let findings: HashSet<_> = made
        .iter()
        .filter(|t| t.severity >= 7.0)
        .map(|t| &t.finding_id)
        .collect();
    assert!((8..60).contains(&findings.len()), "{}", findings.len());
}

#[test]
fn sizes_are_like_real_ones() {
    let sizes: Vec<usize> = make(Options {
        findings: 20_000,
        ..Options::default()
    })
    .iter()
    .map(|document| document.bytes.len())
    .collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    assert!((1_600..3_000).contains(&mean), "mean {mean}");
    let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    assert!(*least < 1_600 && *most > 8_000, "{least} to {most}");
    assert!(sizes.iter().all(|size| *size < 60_000));
}

#[test]
fn no_template_is_left_unfilled() {
    for document in make(Options {
        findings: 3_000,
        hostile_ratio: 0.0,
        ..Options::default()
    }) {
        let event: Value = serde_json::from_slice(&document.bytes).unwrap();
        for name in ["title", "description"] {
            let text = event["detail"][name].as_str().unwrap();
            assert!(
                !text.contains(['{', '}']) && !text.contains("  ") | text.contains("\n  - "),
                "{text}"
            );
        }
    }
}

#[test]
fn hostile_text_is_in_it_and_survives() {
    let mut found = HashSet::new();
    for document in make(Options {
        findings: 2_000,
        hostile_ratio: 0.5,
        ..Options::default()
    }) {
        assert!(!document.bytes.contains(&b'\n') && !document.bytes.contains(&0x1b));
        let event: Value = serde_json::from_slice(&document.bytes).unwrap();
        if let Some(user) = event["detail"]["resource"]["accessKeyDetails"]["userName"].as_str() {
            found.extend(hostile().iter().position(|text| *text == user));
        }
    }
    assert!(found.len() > hostile().len() / 2);
}

#[test]
fn accounts_have_distinct_ids_of_twelve_digits() {
    let made = accounts(7, 2_000);
    let ids: HashSet<_> = made.iter().map(|account| &account.id).collect();
    let names: HashSet<_> = made.iter().map(|account| &account.name).collect();
    assert_eq!((ids.len(), names.len()), (2_000, 2_000));
    assert!(
        ids.iter()
            .all(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))
    );
    assert!(ids.iter().any(|id| id.starts_with('0')));
    assert_eq!(
        accounts(7, 10)[..],
        made[..10],
        "more accounts do not change the first"
    );
}

#[test]
fn a_burst_outside_the_period_or_longer_than_all_is_no_trouble() {
    let burst = |start, findings| Burst {
        kind: BurstKind::OneAccount { account: 9 },
        findings,
        start,
        within: 0,
    };
    let bursts = vec![burst(1_500_000, 30), burst(1_782_864_000_000_001, 30)];
    let made = truths(Options {
        findings: 40,
        bursts,
        ..Options::default()
    });
    assert_eq!(made.len(), 40);
    assert_eq!(
        made.iter()
            .filter(|truth| truth.event_time == 2_000_000)
            .count(),
        30
    );
}
