//! Roles are begun again when they break: the store that did not answer answers a minute later.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::Role;
use crate::failure::{Failure, note};
use crate::health::Health;

/// The first pause before a role is begun again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who has worked for so long begins with the first pause again.
const CALM: Duration = Duration::from_secs(300);

/// Does the work of a role until it ends by itself. Where it breaks it is begun again after a pause, with two exceptions, which are the
/// outcome: what only people can mend (settings, rules), and a role that has never worked, for which whoever started it should hear why.
/// Whoever breaks after `stop` is not begun again.
pub(super) async fn supervise<'a>(
    role: Role,
    health: &Health,
    stop: &CancellationToken,
    mut work: impl FnMut() -> BoxFuture<'a, Result<(), Failure>>,
) -> Result<(), Failure> {
    let name = Health::name(role);
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let failure = match AssertUnwindSafe(work()).catch_unwind().await {
            Ok(Ok(())) => {
                health.ended(role);
                return Ok(());
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::io(format!(
                "{name} broke off: a mistake in guardlake, please report it with the log"
            )),
        };
        if !failure.may_pass() || !health.has_worked(role) || stop.is_cancelled() {
            return Err(failure);
        }
        if began.elapsed() >= CALM {
            pause = FIRST_PAUSE;
        }
        note(&format!(
            "{name}: {}; it begins again in {} s",
            failure.text(),
            pause.as_secs()
        ));
        metrics::counter!("guardlake_role_restarts_total", "role" => name.clone()).increment(1);
        tokio::select! {
            () = stop.cancelled() => return Err(failure),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What each attempt does: whether the role turns once, and how it ends. Returns the outcome, the attempts made and the seconds it took.
    async fn check(attempts: Vec<(bool, Result<(), Failure>)>) -> (Result<(), String>, usize, u64) {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let (left, began) = (Mutex::new(attempts), Instant::now());
        let made = Mutex::new(0);
        let (left, made_ref) = (&left, &made);
        let turning = health.clone();
        let work = || {
            let health = turning.clone();
            async move {
                *made_ref.lock().unwrap() += 1;
                let (turns, end) = left.lock().unwrap().remove(0);
                health.expect(Role::Alerts, CALM);
                if turns {
                    health.beat(Role::Alerts);
                }
                match end {
                    Err(failure) if failure.text() == "panic" => panic!("as asked"),
                    end => end,
                }
            }
            .boxed()
        };
        let outcome = supervise(Role::Alerts, &health, &stop, work).await;
        let outcome = outcome.map_err(|failure| failure.text().to_owned());
        (outcome, *made.lock().unwrap(), began.elapsed().as_secs())
    }

    fn store() -> Result<(), Failure> {
        Err(Failure::io("no answer"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_what_people_must_mend_is_not() {
        assert_eq!(check(vec![(true, Ok(()))]).await, (Ok(()), 1, 0));
        let broken = vec![
            (true, store()),
            (true, store()),
            (true, store()),
            (true, Ok(())),
        ];
        assert_eq!(check(broken).await, (Ok(()), 4, 1 + 2 + 4));
        let panics = vec![(true, Err(Failure::io("panic"))), (true, Ok(()))];
        assert_eq!(check(panics).await, (Ok(()), 2, 1));
        let wrong = vec![(true, store()), (true, Err(Failure::usage("a key")))];
        assert_eq!(check(wrong).await, (Err("a key".to_owned()), 2, 1));
        assert_eq!(
            check(vec![(false, store())]).await,
            (Err("no answer".to_owned()), 1, 0)
        );
        // It has worked before, so it may take its time later.
        let later = vec![(true, store()), (false, store()), (true, Ok(()))];
        assert_eq!(check(later).await, (Ok(()), 3, 3));
    }
}
