//! Roles are begun again when they break: the store that did not answer answers a minute later.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::Role;
use crate::failure::{Failure, note};
use crate::health::Health;

/// Pauses before a role is begun again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    /// The first; each is twice the one before.
    first: Duration,
    /// None is longer.
    longest: Duration,
    /// Who has worked for so long begins with the first again.
    calm: Duration,
}

pub(super) const PAUSES: Pauses = Pauses {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    calm: Duration::from_secs(300),
};

/// Does the work of a role until it ends by itself. Where it breaks it is begun again after a pause: settings are what they were when it
/// worked, so it is the world that has to mend itself. A role that has never worked is not; whoever started it should hear why. Nor is one
/// that breaks after `stop`.
pub(super) async fn supervise<'a>(
    role: Role,
    health: &Health,
    stop: &CancellationToken,
    pauses: Pauses,
    mut work: impl FnMut() -> LocalBoxFuture<'a, Result<(), Failure>>,
) -> Result<(), Failure> {
    let name = Health::name(role);
    let mut pause = pauses.first;
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
        if !health.has_worked(role) || stop.is_cancelled() {
            return Err(failure);
        }
        if began.elapsed() >= pauses.calm {
            pause = pauses.first;
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
        pause = (pause * 2).min(pauses.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SHORT: Pauses = Pauses {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(40),
        calm: Duration::from_secs(300),
    };

    /// What each attempt does: whether the role turns once, and how it ends. Returns the outcome and the attempts made; it took as many
    /// first pauses at least.
    async fn check(
        attempts: Vec<(bool, Result<(), Failure>)>,
        pauses: u32,
    ) -> (Result<(), String>, usize) {
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
                health.expect(Role::Alerts, SHORT.calm);
                if turns {
                    health.beat(Role::Alerts);
                }
                match end {
                    Err(failure) if failure.text() == "panic" => panic!("as asked"),
                    end => end,
                }
            }
            .boxed_local()
        };
        let outcome = supervise(Role::Alerts, &health, &stop, SHORT, work).await;
        let outcome = outcome.map_err(|failure| failure.text().to_owned());
        assert!(began.elapsed() >= SHORT.first * pauses);
        (outcome, *made.lock().unwrap())
    }

    fn store() -> Result<(), Failure> {
        Err(Failure::io("no answer"))
    }

    #[tokio::test]
    async fn what_has_worked_is_begun_again_and_what_never_has_is_not() {
        assert_eq!(check(vec![(true, Ok(()))], 0).await, (Ok(()), 1));
        let broken = vec![
            (true, store()),
            (true, store()),
            (true, store()),
            (true, Ok(())),
        ];
        assert_eq!(check(broken, 1 + 2 + 2).await, (Ok(()), 4));
        let panics = vec![(true, Err(Failure::io("panic"))), (true, Ok(()))];
        assert_eq!(check(panics, 1).await, (Ok(()), 2));
        let wrong = vec![(false, Err(Failure::usage("a key")))];
        assert_eq!(check(wrong, 0).await, (Err("a key".to_owned()), 1));
        assert_eq!(
            check(vec![(false, store())], 0).await,
            (Err("no answer".to_owned()), 1)
        );
        // It has worked before, so it may take its time later.
        let later = vec![(true, store()), (false, store()), (true, Ok(()))];
        assert_eq!(check(later, 2).await, (Ok(()), 3));
    }
}
