//! The bell: every route hears of every alert, whatever receivers do and whoever is killed, and receivers that can tell show each
//! alert once.

mod receiver;

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerts::outbox::{Patience, Step};
use alerts::{Action, Alert, TopValues};
use lake::Lake;
use notifier::{Evidence, Notifier, NotifierOptions, Outside, Report, Setup};
use serde_json::json;

use crate::life::ground::{DAY, MINUTE, NOW, alerts, burst, evaluate, rule, store};
use crate::support::{folder, guardlake, ndjson, run, sql};
use receiver::Receiver;

const MILLI: i64 = 1_000;

#[allow(clippy::disallowed_methods, reason = "channels read Retry-After by it")]
fn system_time() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

struct Nothing;

#[async_trait::async_trait]
impl Evidence for Nothing {
    async fn top(&self, _: &Alert) -> Vec<TopValues> {
        Vec::new()
    }
}

fn file(receiver: &Receiver, folder: &std::path::Path) -> String {
    let at = &receiver.address;
    let log = folder.join("alerts.jsonl");
    json!({
        "channels": {
            "pager": {"kind": "pagerduty", "routing_key": {"env": "KEY"}, "events_url": format!("http://{at}/v2/enqueue")},
            "hook": {"kind": "webhook", "url": format!("http://{at}/hook"), "allow_private": true, "secrets": [{"env": "SIGN"}]},
            "chat": {"kind": "slack", "webhook": {"env": "CHAT"}},
            "log": {"kind": "file", "path": log},
        },
        "route": {
            "channels": ["log"],
            "group_wait": "1s",
            "group_interval": "1s",
            "routes": [{"match": {"severity": ">= medium"}, "channels": ["pager", "hook", "chat", "log"]}],
        },
    })
    .to_string()
}

fn secrets(receiver: &Receiver) -> [(&'static str, String); 3] {
    [
        ("KEY", "0123456789abcdef0123456789abcdef".to_owned()),
        (
            "SIGN",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr".to_owned(),
        ),
        ("CHAT", format!("http://{}/chat", receiver.address)),
    ]
}

async fn open(lake: &Lake, text: &str, receiver: &Receiver, worker: usize) -> Notifier {
    let setup = Setup::parse("notify.yaml", text).expect("a setup");
    let secrets = secrets(receiver);
    let read = |at: &notifier::SecretAt| {
        let wanted = format!("{at:?}");
        let found = secrets.iter().find(|(name, _)| wanted.contains(name));
        found
            .map(|(_, value)| value.clone().into())
            .ok_or_else(|| "not there".to_owned())
    };
    let outside = Outside {
        read_secret: &read,
        timeout: Duration::from_millis(700),
        ..Outside::real(system_time)
    };
    let channels = setup.build(&outside).expect("channels");
    let options = NotifierOptions {
        patience: Patience {
            first: 50 * MILLI,
            most: 500 * MILLI,
            give_up: DAY,
            in_doubt: 2_000 * MILLI,
        },
        worker: format!("worker {worker}"),
        at_once: false,
    };
    let rules = [rule("burst", 1, "")];
    Notifier::open(
        lake.clone(),
        setup,
        channels,
        &rules,
        Arc::new(Nothing),
        options,
    )
    .await
    .expect("a notifier")
}

/// Alerts, one a finding and address.
async fn open_alerts(lake: &Lake, count: u32) {
    let all: Vec<_> = (0..count)
        .flat_map(|n| burst(n, 1, NOW - MINUTE, n))
        .collect();
    store(lake, &all).await;
    let report = evaluate(lake, &[rule("burst", 1, "")], NOW).await;
    assert_eq!(report.told().count(), count as usize);
}

/// Every delivery that was queued, by whether a row says that it came through.
async fn check_log(lake: &Lake) {
    let rows = lake.deliveries().await.expect("a log");
    let sent: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.step == Step::Sent)
        .flat_map(|row| row.items.iter().map(move |item| (&row.channel, item)))
        .collect();
    for row in rows.iter().filter(|row| row.step == Step::Queued) {
        for item in &row.items {
            assert!(sent.contains(&(&row.channel, item)), "{row:?}");
        }
    }
}

#[allow(clippy::print_stdout, reason = "shown by --nocapture")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_hears_of_every_alert() {
    let count: u32 =
        option_env!("GUARDLAKE_TEST_ALERTS").map_or(500, |n| n.parse().expect("a number"));
    let (folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let receiver = Receiver::start(true).await;
    let text = file(&receiver, folder.path());
    // The first notifier begins with what is logged from now on.
    let mut notifier = open(&lake, &text, &receiver, 0).await;
    open_alerts(&lake, count).await;
    let began = Instant::now();
    let now = || NOW + began.elapsed().as_micros() as i64;
    let (mut killed, mut opened) = (0, Instant::now());
    let mut total = Report::default();
    loop {
        let report = notifier.tick(now()).await.expect("a tick");
        total = total.and(report);
        let idle = report.started == 0 && !notifier.is_sending();
        if idle && notifier.owed().is_empty() {
            break;
        }
        // Dropped in the middle of its sends, as a kill would: nothing but the lake remembers.
        if opened.elapsed() > Duration::from_secs(3) && killed < 5 && notifier.is_sending() {
            killed += 1;
            drop(notifier);
            notifier = open(&lake, &text, &receiver, killed).await;
            opened = Instant::now();
        }
        notifier.wait(Duration::from_millis(20)).await;
        assert!(
            began.elapsed() < Duration::from_secs(550),
            "{:?} {total:?}",
            notifier.owed()
        );
    }
    check_log(&lake).await;
    let got = receiver.got();
    assert_eq!(got.incidents.len(), count as usize, "one incident an alert");
    assert!(got.incidents.values().all(|(triggers, _)| *triggers >= 1));
    assert_eq!(got.hooked.len(), count as usize);
    assert!(
        got.hooked.values().all(|ids| *ids == 1),
        "one webhook-id an alert"
    );
    assert!(got.chat >= 1);
    let lines = std::fs::read_to_string(folder.path().join("alerts.jsonl")).expect("a file");
    let told: BTreeSet<String> = (lines.lines())
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|line| {
            line["alert"]["alert_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(told.len(), count as usize);
    let requests: usize = got.incidents.values().map(|(triggers, _)| triggers).sum();
    let hooks: usize = got.hooks.values().sum();
    println!(
        "{count} alerts in {:.0} s, {killed} kills: {} incidents of {requests} triggers, {} webhook ids of {hooks} posts, {} messages in the chat, {} lines; {:?}; {total:?}",
        began.elapsed().as_secs_f64(),
        got.incidents.len(),
        got.hooks.len(),
        got.chat,
        lines.lines().count(),
        got.faults,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolve_follows_its_alert_and_a_dead_channel_holds_nobody() {
    let (folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let receiver = Receiver::start(false).await;
    let mut text: serde_json::Value =
        serde_json::from_str(&file(&receiver, folder.path())).expect("JSON");
    // Nobody listens there.
    text["channels"]["hook"]["url"] = json!("http://127.0.0.1:1/hook");
    text["dead_letters"] = json!("log");
    let text = text.to_string();
    let mut notifier = open(&lake, &text, &receiver, 0).await;
    open_alerts(&lake, 3).await;
    let mut time = NOW;
    let mut settle = async |notifier: &mut Notifier| {
        for _ in 0..40 {
            time += 200 * MILLI;
            notifier.tick(time).await.expect("a tick");
            notifier.wait(Duration::from_millis(30)).await;
        }
        time
    };
    let now = settle(&mut notifier).await;
    assert_eq!(receiver.got().incidents.len(), 3);
    assert_eq!(
        receiver.got().chat,
        1,
        "three alerts of a rule, one message"
    );
    assert_eq!(notifier.owed().keys().collect::<Vec<_>>(), [&"hook"]);
    let alert = alerts(&lake).await.remove(0);
    jobs::operate(
        &lake,
        std::slice::from_ref(&alert.alert_id),
        Action::Resolve,
        "ana",
        "known",
        now,
    )
    .await
    .expect("resolved");
    settle(&mut notifier).await;
    let resolved: Vec<usize> = receiver.got().incidents.values().map(|(_, r)| *r).collect();
    assert_eq!(resolved.iter().sum::<usize>(), 1);
    // After a day the dead channel is given up, and that is told elsewhere.
    notifier.tick(time + 2 * DAY).await.expect("a tick");
    notifier
        .drain(Duration::from_secs(5), || time + 2 * DAY)
        .await
        .expect("an end");
    notifier.tick(time + 2 * DAY + 1).await.expect("a tick");
    notifier
        .drain(Duration::from_secs(5), || time + 2 * DAY + 2)
        .await
        .expect("an end");
    let rows = lake.deliveries().await.expect("a log");
    assert!(
        rows.iter()
            .any(|row| row.step == Step::Dead && row.channel == "hook")
    );
    let lines = std::fs::read_to_string(folder.path().join("alerts.jsonl")).expect("a file");
    assert!(lines.contains("could not be delivered to hook"), "{lines}");
    // In SQL, and owed once more when somebody asks for it.
    let dead = sql(
        &uri,
        "SELECT DISTINCT channel FROM deliveries WHERE step = 'dead'",
    );
    assert_eq!(dead, [json!({"channel": "hook"})]);
    run(&uri, &["notify", "replay", "--channel", "hook"], 0);
    let owed = ndjson(&run(&uri, &["--format", "ndjson", "notify", "owed"], 0));
    let hook = owed
        .iter()
        .find(|row| row["channel"] == "hook")
        .expect("a row");
    assert!(hook["waiting"].as_u64() >= Some(1), "{owed:?}");
}

#[test]
fn the_examples_are_right() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for file in ["notify.yaml", "per-finding/notify.yaml"] {
        let path = examples.join(file);
        let text = std::fs::read_to_string(&path).expect("an example");
        let setup = Setup::parse(file, &text).expect(file);
        assert!(setup.routes().stops().len() + setup.channels().count() >= 2);
        let path = path.display().to_string();
        let told = guardlake()
            .args(["notify", "check", "--file", &path])
            .output();
        assert!(told.expect("the command starts").status.success());
    }
    // Each finding of medium severity and worse is one alert, whatever its versions.
    let (_folder, uri) = folder();
    let samples = examples.join("../tests/fixtures/samples/public");
    let rules = examples.join("per-finding/rules").display().to_string();
    run(&uri, &["ingest", &samples.display().to_string()], 0);
    for _ in 0..2 {
        run(&uri, &["alert", "run", "--once", "--rules", &rules], 0);
    }
    let counted = "SELECT count(*) AS n FROM (SELECT DISTINCT account_id, region, finding_id, type FROM findings WHERE severity >= 4 AND NOT sample AND event_time IS NOT NULL AND type IS NOT NULL)";
    let alerts = "SELECT count(*) AS n FROM alerts";
    assert_eq!(sql(&uri, alerts), sql(&uri, counted));
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Killed {
    fn kill(&mut self) {
        self.0.kill().expect("a kill");
        self.0.wait().expect("an end");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command itself, killed with SIGKILL again and again.
#[allow(clippy::print_stdout, reason = "shown by --nocapture")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_tell_everything() {
    let (folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let receiver = Receiver::start(true).await;
    let path = folder.path().join("notify.yaml");
    std::fs::write(&path, file(&receiver, folder.path())).expect("a file");
    let start = || {
        let mut command = guardlake();
        command
            .args(["--lake", &uri, "run", "--roles", "notify"])
            .env("GUARDLAKE__NOTIFY__FILE", &path)
            .env("GUARDLAKE__NOTIFY__IN_DOUBT", "3s")
            .envs(secrets(&receiver))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Killed(command.spawn().expect("the command starts"))
    };
    // Registers where it begins.
    let mut notifier = start();
    let deadline = Instant::now() + Duration::from_secs(60);
    while lake.deliveries_version().await.expect("a log").1.is_none() {
        assert!(Instant::now() < deadline, "the notifier did not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    open_alerts(&lake, 100).await;
    let mut kills = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut outbox = alerts::outbox::Outbox::default();
        let rows = lake.deliveries().await.expect("a log");
        rows.iter().for_each(|row| outbox.apply(row));
        if !rows.is_empty() && outbox.owed().is_empty() {
            break;
        }
        if kills < 4 {
            notifier.kill();
            notifier = start();
            kills += 1;
        }
        assert!(
            Instant::now() < deadline + Duration::from_secs(240),
            "{:?}",
            outbox.owed()
        );
    }
    notifier.kill();
    check_log(&lake).await;
    let got = receiver.got();
    assert_eq!((got.incidents.len(), got.hooked.len()), (100, 100));
    assert!(got.hooked.values().all(|ids| *ids == 1));
    let (triggers, hooks): (usize, usize) = (
        got.incidents.values().map(|t| t.0).sum(),
        got.hooks.values().sum(),
    );
    println!(
        "100 alerts, {kills} kills: 100 incidents of {triggers} triggers, {} webhook ids of {hooks} posts; {:?}",
        got.hooks.len(),
        got.faults
    );
}
