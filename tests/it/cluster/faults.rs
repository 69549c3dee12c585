//! Machines that end in the middle, and people who do not wait.

use std::process::Stdio;
use std::time::Duration;

use jobs::Given;

use super::machines::Machines;
use super::{Two, lines, made, until};
use crate::support::guardlake;

/// Some seconds of work for three executors, in several stages.
const LONG: &str = "SELECT a.account_id, count(*) AS n, count(DISTINCT b.finding_id) AS f, sum(length(a.raw) + b.count) AS x FROM findings a JOIN findings b ON a.account_id = b.account_id GROUP BY 1 ORDER BY 1";

/// The answer is right, or it is none.
#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_killed_spoils_no_answer() {
    let (_folder, lake) = made(3_000);
    let mut machines = Machines::start(3, &[]);
    let two = Two::open(&lake, &machines).await;
    let here = lines(two.here.sql(LONG, &Given::new()).await)
        .await
        .expect("an answer");
    let there = two.there;
    let asked = tokio::spawn(async move { lines(there.sql(LONG, &Given::new()).await).await });
    // Which of them gets a task first is the scheduler's choice; one of them may get none.
    let busy = |machines: &Machines| {
        let mut executors = machines.executors.iter();
        executors.position(|executor| executor.said("Execute task") > 0)
    };
    until("a task is under way", || busy(&machines).is_some()).await;
    let victim = busy(&machines).expect("one is busy");
    drop(machines.executors.swap_remove(victim));
    let there = asked.await.expect("no panic");
    match there {
        Ok(there) => assert_eq!(there, here),
        Err(error) => {
            assert_eq!(
                error.kind,
                jobs::Remedy::Retry,
                "{error:?}\n{}",
                machines.logs()
            );
        }
    }
    // Whoever is left answers the next question, and places of tasks that were given up are free again.
    let again = Two::open(&lake, &machines).await;
    let (here, there) = again.sql(LONG).await;
    assert_eq!(here, there);
}

/// Who asks is told whom to start again.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_ends_in_the_middle_is_named() {
    let (_folder, lake) = made(2_000);
    let mut machines = Machines::start(1, &[]);
    let there = Two::open(&lake, &machines).await.there;
    let asked = tokio::spawn(async move { lines(there.sql(LONG, &Given::new()).await).await });
    let executor = &machines.executors[0];
    until("a task is under way", || executor.said("Execute task") > 0).await;
    machines.scheduler.child.kill().expect("it is killed");
    let error = asked.await.expect("no panic").expect_err("an error");
    assert_eq!(error.kind, jobs::Remedy::Retry, "{error:?}");
    assert!(error.message.contains(&machines.address()), "{error:?}");
}

/// Ctrl-C, and a limit of time: the cluster does not go on with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_taken_back() {
    let (_folder, lake) = made(3_000);
    let machines = Machines::start(1, &[]);
    let ask = |more: &[&str]| {
        let mut command = guardlake();
        command
            .args([
                "--lake",
                &lake,
                "sql",
                LONG,
                "--cluster",
                &machines.address(),
            ])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let cancelled = || machines.scheduler.said("Received cancellation request");
    let pressed = ask(&[]);
    until("a task is under way", || {
        machines.executors[0].said("Execute task") > 0
    })
    .await;
    let id = pressed.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.expect("kill runs").success());
    let ended = pressed.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert_eq!(cancelled(), 1, "{}", machines.logs());
    let ended = ask(&["--timeout", "1s"])
        .wait_with_output()
        .expect("it ends");
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(
        String::from_utf8_lossy(&ended.stderr).contains("longer than 1s"),
        "{ended:?}"
    );
    tokio::time::timeout(
        Duration::from_secs(20),
        until("it is taken back", || cancelled() == 2),
    )
    .await
    .expect("the scheduler hears of it");
}
