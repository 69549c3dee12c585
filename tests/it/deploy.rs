//! What is deployed: templates, Terraform, image, unit, guide and costs, as `deploy/check.py` judges them with tools from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::guardlake;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the repository")
}

/// Python with what `deploy/requirements.txt` pins, installed on first use. Another list is another folder.
fn python() -> PathBuf {
    let home = std::env::var_os("HOME").expect("a home folder");
    let venv = PathBuf::from(home).join(".cache/guardlake-tests/venv-deploy-1");
    let (done, python) = (venv.join("installed"), venv.join("bin/python"));
    let requirements = root().join("deploy/requirements.txt");
    let wanted = std::fs::read(&requirements).expect("the list of tools");
    if std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let install = |command: &mut Command| {
        let output = command
            .output()
            .expect("python3 starts: install Python 3 with `apt install python3 python3-venv`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{command:?} failed; is `apt install python3-venv` done? {said}"
        );
    };
    install(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    );
    // Without dependencies: the list has them all (see its head).
    install(
        Command::new(&python)
            .args(["-m", "pip", "install", "-q", "--no-deps", "-r"])
            .arg(&requirements),
    );
    std::fs::write(done, wanted).expect("the cache can be written");
    python
}

/// Runs `deploy/check.py`, and fails with what it says.
fn check(arguments: &[&str]) {
    let program = guardlake().get_program().to_owned();
    // Tests run at once, and install once.
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let output = Command::new(PYTHON.get_or_init(python))
        .arg(root().join("deploy/check.py"))
        .args(arguments)
        .env("GUARDLAKE_BINARY", program)
        .output()
        .expect("Python starts");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{errors}");
}

/// All checks, the one with the program itself among them.
#[test]
fn what_is_deployed_is_checked_and_the_policies_suffice() {
    check(&[]);
}

/// `GUARDLAKE_TEST_MUTATIONS=1`: a few minutes.
#[test]
fn every_way_to_break_the_templates_is_noticed() {
    if std::env::var_os("GUARDLAKE_TEST_MUTATIONS").is_some() {
        check(&["--mutations"]);
    }
}
