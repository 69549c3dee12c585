//! What becomes of a delivery whose channel breaks, and how often the lake is asked for what is told.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use alerts::Event;

use super::*;
use crate::channel::Takes;
use crate::testing::{self, opened};

#[derive(Debug)]
struct Broken;

#[async_trait]
impl Channel for Broken {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, _: &Notice) -> String {
        String::new()
    }

    async fn deliver(&self, _: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        panic!("an index that was out of bounds")
    }
}

#[tokio::test]
async fn a_channel_that_panics_is_tried_again() {
    let ended = told(&Broken, &opened(), None).await;
    assert!(
        matches!(&ended, Ended::ForNow(why, None) if why.contains("broke off")),
        "{ended:?}"
    );
}

/// Has something to say from the third question on.
#[derive(Default)]
struct Slow(AtomicI64);

#[async_trait]
impl Evidence for Slow {
    async fn top(&self, _: &Alert) -> Vec<TopValues> {
        let nth = self.0.fetch_add(1, Ordering::AcqRel);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let top = TopValues {
            column: "remote_ip".to_owned(),
            values: vec![("198.51.100.7".to_owned(), nth)],
        };
        Vec::from_iter((nth >= 2).then_some(top))
    }
}

#[tokio::test]
async fn what_is_told_is_looked_up_once_for_all_channels_and_attempts() {
    let slow = Arc::new(Slow::default());
    let asked = || slow.0.load(Ordering::Acquire);
    let looked_up = LookedUp::of(slow.clone());
    let mut alert = opened().items.remove(0).alert;
    // Nothing was said: the next asks again.
    assert!(looked_up.top(&alert).await.is_empty());
    assert!(looked_up.top(&alert).await.is_empty());
    let (one, other) = tokio::join!(looked_up.top(&alert), looked_up.top(&alert));
    assert!(one == other && one.len() == 1);
    assert_eq!((looked_up.top(&alert).await, asked()), (one, 3));
    alert.seq += 1;
    assert_eq!((looked_up.top(&alert).await.len(), asked()), (1, 4));
}

/// Remembers how many commits the log of deliveries had when it was asked.
struct Counting {
    log: PathBuf,
    commits: Mutex<Vec<usize>>,
}

impl Counting {
    fn commits(&self) -> usize {
        std::fs::read_dir(&self.log).unwrap().count()
    }
}

#[async_trait]
impl Evidence for Counting {
    async fn top(&self, _: &Alert) -> Vec<TopValues> {
        self.commits.lock().unwrap().push(self.commits());
        vec![TopValues {
            column: "remote_ip".to_owned(),
            values: vec![("198.51.100.7".to_owned(), 1)],
        }]
    }
}

#[tokio::test]
async fn what_is_told_is_looked_up_while_that_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let root = path("lake");
    let lake = Lake::open_or_create(root.to_str().unwrap()).await.unwrap();
    let told = path("told.jsonl");
    let setup = format!(
        "channels:\n  desk: {{kind: file, path: {}}}\nroute: {{channels: [desk]}}\n",
        told.display()
    );
    let setup = Setup::parse("notify.yaml", &setup).unwrap();
    let channels = setup.build(&crate::Outside::real(testing::clock)).unwrap();
    let counting = Arc::new(Counting {
        log: path("lake/deliveries/_delta_log"),
        commits: Mutex::default(),
    });
    let options = NotifierOptions {
        patience: Patience::default(),
        worker: "one".to_owned(),
        at_once: true,
    };
    let evidence: Arc<dyn Evidence> = counting.clone();
    let notifier = Notifier::open(lake.clone(), setup, channels, &[], evidence, options);
    let mut notifier = notifier.await.unwrap();
    let alert = testing::alert();
    let mut opened = alert.event(Event::Opened, alert.changed_at, "evaluator", String::new());
    (opened.seq, opened.rings) = (0, true);
    let version = lake.alert_log_version().await.unwrap();
    lake.append_alert_events(version, &[opened], &[])
        .await
        .unwrap();
    let before = counting.commits();
    let report = notifier.tick(alert.changed_at).await.unwrap();
    assert_eq!(report.started, 1);
    notifier
        .drain(Duration::from_secs(60), || alert.changed_at)
        .await
        .unwrap();
    // Once, and before it was logged that the delivery had begun.
    assert_eq!(*counting.commits.lock().unwrap(), [before]);
    assert!(counting.commits() > before);
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("198.51.100.7"), "{told}");
}
