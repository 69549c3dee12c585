//! A scheduler and executors as processes of their own, on free ports of this machine, with their logs in files.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::program;

/// How long a machine that is busy with other tests may take to start one.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Process {
    pub(super) child: Child,
    log: PathBuf,
}

impl Process {
    fn start(command: &mut Command, log: PathBuf) -> Process {
        let file = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Process { child, log }
    }

    /// What it has said so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    /// How often it has said something.
    pub(super) fn said(&self, words: &str) -> usize {
        self.log().matches(words).count()
    }

    /// Waits until it has said something; false if it has ended before.
    pub(super) fn says(&mut self, words: &str) -> bool {
        let began = Instant::now();
        while self.said(words) == 0 {
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "no {words} in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Told to end (SIGTERM); its exit code.
    pub(super) fn terminated(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill runs").success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it goes on:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cluster; it ends with this.
pub(super) struct Machines {
    pub(super) scheduler: Process,
    pub(super) executors: Vec<Process>,
    port: u16,
    _folder: TempDir,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Machines {
    /// Executors with two tasks at once each. `more` adds to the environment of all.
    pub(super) fn start(executors: usize, more: &[(&str, &str)]) -> Machines {
        // Another test may take a port between the moment it was found free and the moment it is used.
        for _ in 0..3 {
            if let Some(machines) = Machines::try_start(executors, more) {
                return machines;
            }
        }
        panic!("no cluster starts");
    }

    fn try_start(executors: usize, more: &[(&str, &str)]) -> Option<Machines> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let port = free_port();
        let mut command = program("guardlake-scheduler");
        command
            .args(["--port", &port.to_string()])
            .envs(more.iter().copied());
        let mut scheduler = Process::start(&mut command, at("scheduler.log"));
        if !scheduler.says("the scheduler listens") {
            return None;
        }
        let mut started = Vec::new();
        for number in 0..executors {
            let log = at(&format!("executor-{number}.log"));
            started.push(executor(port, &at(&format!("work-{number}")), log, more));
        }
        let ready = started
            .iter_mut()
            .all(|one| one.says("Executor registration succeed"));
        ready.then_some(Machines {
            scheduler,
            executors: started,
            port,
            _folder: folder,
        })
    }

    /// The address for `--cluster`.
    pub(super) fn address(&self) -> String {
        format!("df://127.0.0.1:{}", self.port)
    }

    /// How many tasks each executor has finished.
    pub(super) fn finished(&self) -> Vec<usize> {
        self.executors
            .iter()
            .map(|executor| executor.said("Finished task"))
            .collect()
    }

    /// All that was said, for messages.
    pub(super) fn logs(&self) -> String {
        let all = std::iter::once(&self.scheduler).chain(&self.executors);
        all.map(|process| process.log())
            .collect::<Vec<_>>()
            .join("\n----\n")
    }
}

fn executor(scheduler: u16, work: &Path, log: PathBuf, more: &[(&str, &str)]) -> Process {
    let (port, tasks) = (free_port().to_string(), free_port().to_string());
    let mut command = program("guardlake-executor");
    command
        .args(["--scheduler", &format!("127.0.0.1:{scheduler}")])
        .args(["--port", &port, "--task-port", &tasks])
        .args(["--concurrent-tasks", "2", "--memory", "1073741824"])
        .arg("--work-dir")
        .arg(work)
        .envs(more.iter().copied());
    Process::start(&mut command, log)
}
