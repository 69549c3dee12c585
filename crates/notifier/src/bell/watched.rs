//! What an operator sees of the bell: what is owed, how sends end, how long people wait. Channels are labels, alerts and accounts never.

use alerts::outbox::{DeliveryRow, Ended, Outbox};
use metrics::{counter, gauge, histogram};

/// How much each channel owes at `now` (UTC microseconds), and for how long the oldest of it.
pub(super) fn owed<'a>(channels: impl Iterator<Item = &'a String>, outbox: &Outbox, now: i64) {
    let (owed, oldest) = (outbox.owed(), outbox.oldest());
    for name in channels {
        let (waiting, begun) = owed.get(name.as_str()).copied().unwrap_or_default();
        let seconds = oldest
            .get(name.as_str())
            .map_or(0.0, |since| seconds(now - since));
        gauge!("guardlake_outbox_items", "channel" => name.clone()).set((waiting + begun) as f64);
        gauge!("guardlake_outbox_oldest_seconds", "channel" => name.clone()).set(seconds);
    }
}

/// How a send ended, and how long ago the oldest of its alerts changed.
pub(super) fn ended(row: &DeliveryRow, ended: &Ended, changed_at: Option<i64>, now: i64) {
    let outcome = match ended {
        Ended::Sent(..) => "sent",
        Ended::ForNow(..) => "failed",
        Ended::ForGood(_) => "refused",
        Ended::NotMade => return,
    };
    let channel = row.channel.clone();
    counter!("guardlake_deliveries_total", "channel" => channel.clone(), "outcome" => outcome)
        .increment(1);
    histogram!("guardlake_delivery_seconds", "channel" => channel.clone())
        .record(seconds(now - row.at));
    if let (Ended::Sent(..), Some(changed_at)) = (ended, changed_at) {
        histogram!("guardlake_alert_to_told_seconds", "channel" => channel)
            .record(seconds(now - changed_at));
    }
}

/// A delivery is tried no more.
pub(super) fn given_up(channel: &str) {
    counter!("guardlake_deliveries_given_up_total", "channel" => channel.to_owned()).increment(1);
}

fn seconds(micros: i64) -> f64 {
    micros.max(0) as f64 / 1e6
}
