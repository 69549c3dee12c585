//! Checks of the clock: beside that of AWS, and beside itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use tokio::time::Instant;

use super::Row;
use crate::wire_up;

/// Whoever is further off is told.
const NOTED: Duration = Duration::from_secs(60);
/// AWS refuses what is signed further off (Signature Version 4, "RequestTimeTooSkewed").
const REFUSED: Duration = Duration::from_secs(300);
/// The wall clock may be moved so far beside the monotonic one while the checks run.
const MOVED: Duration = Duration::from_secs(1);

/// Reads the `Date` of every answer of AWS.
#[derive(Debug, Clone, Default)]
pub(super) struct Dates {
    /// Their time and ours, of the last answer.
    last: Arc<Mutex<Option<(SystemTime, SystemTime)>>>,
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "dates"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((theirs, wire_up::system_time()));
        }
        Ok(())
    }
}

/// How far the clock is off that of AWS.
pub(super) fn against_aws(dates: &Dates) -> Row {
    let last = *dates.last.lock().unwrap_or_else(PoisonError::into_inner);
    match last {
        Some((theirs, ours)) => judge(theirs, ours),
        None => Row::skipped("clock: beside AWS", "no answer of AWS to compare with"),
    }
}

pub(super) fn judge(theirs: SystemTime, ours: SystemTime) -> Row {
    const CHECK: &str = "clock: beside AWS";
    let (off, side) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let seen = format!("{} s {side} the Date of its answers", off.as_secs());
    let remedy = "let chrony or systemd-timesyncd set the clock of this machine; AWS refuses requests that are 5 minutes off";
    if off >= REFUSED {
        Row::failed(CHECK, seen, remedy)
    } else if off > NOTED {
        Row::warning(CHECK, seen, remedy)
    } else {
        Row::ok(CHECK, seen)
    }
}

/// Watches the wall clock while the checks run.
pub(super) struct Watch {
    wall: SystemTime,
    steady: Instant,
}

impl Watch {
    pub(super) fn start() -> Watch {
        Watch {
            wall: wire_up::system_time(),
            steady: Instant::now(),
        }
    }

    pub(super) fn row(&self) -> Row {
        steady(self.wall, wire_up::system_time(), self.steady.elapsed())
    }
}

pub(super) fn steady(before: SystemTime, after: SystemTime, passed: Duration) -> Row {
    const CHECK: &str = "clock: steady";
    let moved = match after.duration_since(before) {
        Ok(wall) => wall.abs_diff(passed),
        Err(back) => back.duration() + passed,
    };
    let seconds = moved.as_secs_f64();
    match moved > MOVED {
        true => Row::warning(
            CHECK,
            format!("the wall clock was moved by {seconds:.1} s while these checks ran"),
            "find out who sets the clock of this machine; two who do take turns",
        ),
        false => Row::ok(
            CHECK,
            format!("wall and monotonic clock agree within {seconds:.1} s"),
        ),
    }
}
