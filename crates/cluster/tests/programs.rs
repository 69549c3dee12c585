//! The two programs by themselves: what they say of wrong arguments, of ports that are taken, of a scheduler that is not there.

use std::net::TcpListener;
use std::process::{Command, Output};

const SCHEDULER: &str = env!("CARGO_BIN_EXE_guardlake-scheduler");
const EXECUTOR: &str = env!("CARGO_BIN_EXE_guardlake-executor");

fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .env("GUARDLAKE_LOG", "error")
        .output()
        .expect("it starts");
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn check(program: &str, arguments: &[&str], code: i32, says: &[&str]) {
    let (ended, said) = run(program, arguments);
    assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    for words in says {
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn arguments_are_explained() {
    check(
        SCHEDULER,
        &["--help"],
        0,
        &["--bind", "--advertise", "private network"],
    );
    check(
        EXECUTOR,
        &["--help"],
        0,
        &[
            "--scheduler",
            "--work-dir",
            "--concurrent-tasks",
            "private network",
        ],
    );
    check(SCHEDULER, &["--port", "x"], 3, &["--port"]);
    check(
        EXECUTOR,
        &["--scheduler", "nowhere"],
        4,
        &["`nowhere` is not HOST:PORT"],
    );
    check(SCHEDULER, &["--bind", "0.0.0.0"], 4, &["--advertise HOST"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let at = format!("127.0.0.1:{port}");
    check(SCHEDULER, &["--port", &port], 4, &["cannot listen at", &at]);
    check(EXECUTOR, &["--port", &port], 4, &["cannot listen at", &at]);
}

#[test]
fn a_scheduler_that_is_not_there_is_named() {
    let free = |_| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener
            .local_addr()
            .expect("an address")
            .port()
            .to_string()
    };
    let [port, tasks] = [(), ()].map(free);
    check(
        EXECUTOR,
        &[
            "--port",
            &port,
            "--task-port",
            &tasks,
            "--scheduler",
            "127.0.0.1:1",
            "--connect-timeout",
            "1",
        ],
        4,
        &["the scheduler at 127.0.0.1:1 cannot be reached"],
    );
}
