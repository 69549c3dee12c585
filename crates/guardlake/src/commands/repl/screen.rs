//! Text on the screen: through a pager where it is longer than the screen.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::output;
use crate::wire_up;

/// Shows text. `height` is the number of lines of the terminal, if standard output is one.
pub(super) fn show(text: &str, height: Option<usize>) -> Result<(), Failure> {
    let longer = height.is_some_and(|height| text.lines().count() >= height);
    let pager = wire_up::program(&["PAGER"]).unwrap_or_else(|| "less".to_owned());
    if longer && std::io::stdout().is_terminal() && !pager.trim().is_empty() && page(&pager, text) {
        return Ok(());
    }
    output::text(text)
}

/// Whether the pager took the text. One that is left before the end has done its work.
fn page(pager: &str, text: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Long lines are cut rather than wrapped; what fits is shown and left.
        command.env("LESS", "FSX");
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(text.as_bytes());
    }
    // 127: the shell did not find it.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
