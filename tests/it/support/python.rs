//! Python and what tests need of it, installed where no other project is disturbed. Included by tests of several crates.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Python with ministack (an S3 with right conditional writes), deltalake (another reader) and html5lib (a strict parser), installed on
/// first use.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = std::env::var_os("HOME").expect("a home folder");
        let venv = PathBuf::from(home).join(".cache/guardlake-tests/venv-2");
        let done = venv.join("installed");
        let python = venv.join("bin/python");
        if !done.exists() {
            let install = |command: &mut Command| {
                let output = command.output().expect(
                    "python3 starts: install Python 3 with `apt install python3 python3-venv`",
                );
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
            install(Command::new(&python).args([
                "-m",
                "pip",
                "install",
                "-q",
                "ministack==1.5.33",
                "deltalake==1.6.6",
                "html5lib==1.1",
            ]));
            std::fs::write(done, "").expect("the cache can be written");
        }
        python
    })
}
