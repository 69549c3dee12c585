//! What becomes of a delivery whose channel breaks, and how often the lake is asked for what is told.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::channel::Takes;
use crate::testing::opened;

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
