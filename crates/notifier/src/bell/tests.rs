//! What becomes of a delivery whose channel breaks.

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
