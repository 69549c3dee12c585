//! From a question to its printed or stored answer, no further than the limits that were given.

use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use jobs::{Answer, Limits, QueryError};

use crate::args::{Bounds, Format};
use crate::failure::{Failure, note};
use crate::output::{self, AnswerFile, FileFormat, Sink};
use crate::settings::micros;

/// The rows of an answer up to a number of them.
pub(crate) struct Rows {
    answer: Answer,
    most: Option<usize>,
    seen: usize,
    cut: bool,
}

impl Rows {
    pub(crate) fn new(answer: Answer, most: Option<usize>) -> Rows {
        Rows {
            answer,
            most,
            seen: 0,
            cut: false,
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.answer.schema()
    }

    /// The next rows; `None` after the last, or after the last that is wanted.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        while !self.cut {
            let Some(batch) = self.answer.next().await? else {
                return Ok(None);
            };
            let left = self.most.map_or(usize::MAX, |most| most - self.seen);
            // Whether there are more is known once one too many is there.
            self.cut = batch.num_rows() > left;
            let shown = batch.slice(0, batch.num_rows().min(left));
            self.seen += shown.num_rows();
            if shown.num_rows() > 0 {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    /// How many rows there were, in words.
    pub(crate) fn number(&self) -> String {
        match self.seen {
            1 => "1 row".to_owned(),
            number => format!("{number} rows"),
        }
    }

    /// How many rows there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// What to say of rows that were left out.
    pub(crate) fn left_out(&self) -> Option<String> {
        let more = "there are more: ask with LIMIT or about a shorter period, or raise --max-rows";
        self.cut
            .then(|| format!("only the first {} (--max-rows); {more}", self.number()))
    }
}

/// Prints an answer, or puts it into the file of `--output`. `wrong` words a mistake.
pub(crate) async fn tell(
    answer: Answer,
    bounds: &Bounds,
    format: Format,
    wrong: impl Fn(QueryError) -> Failure,
) -> Result<(), Failure> {
    let mut rows = Rows::new(answer, bounds.max_rows);
    match &bounds.output {
        Some(path) => {
            Interrupt::listen()
                .during(store(&mut rows, path, bounds.force, wrong))
                .await?;
            note(&format!("{} in {}", rows.number(), path.display()));
        }
        None => print(&mut rows, format, wrong).await?,
    }
    if let Some(left_out) = rows.left_out() {
        note(&left_out);
    }
    Ok(())
}

async fn print(
    rows: &mut Rows,
    format: Format,
    wrong: impl Fn(QueryError) -> Failure,
) -> Result<(), Failure> {
    let out = std::io::BufWriter::new(std::io::stdout());
    let mut sink = match Sink::new(out, &rows.schema(), format) {
        Ok(sink) => sink,
        Err(error) => return output::seen(Err(error)),
    };
    while let Some(batch) = rows.next().await.map_err(&wrong)? {
        if let Err(error) = sink.write(&batch) {
            return output::seen(Err(error));
        }
    }
    output::seen(sink.finish().map(drop))
}

/// Writes the rows to a file.
async fn store(
    rows: &mut Rows,
    path: &Path,
    replace: bool,
    wrong: impl Fn(QueryError) -> Failure,
) -> Result<(), Failure> {
    let mut file = AnswerFile::create(path, replace, &rows.schema())?;
    while let Some(batch) = rows.next().await.map_err(&wrong)? {
        file.write(&batch)?;
    }
    file.finish()
}

/// Refuses early what would fail after minutes of work: a file that is there, or an ending that says nothing.
pub(crate) fn check(bounds: &Bounds) -> Result<(), Failure> {
    match &bounds.output {
        Some(path) => {
            FileFormat::of(path)?;
            output::refuse_existing(path, bounds.force)
        }
        None => Ok(()),
    }
}

/// Ctrl-C, heard from the moment on that this is made: what is pressed while a query is still being planned counts, too.
pub(crate) struct Interrupt(Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>);

impl Interrupt {
    /// Begins to listen. While a line is typed at the prompt the terminal is raw, and there Ctrl-C is a key.
    pub(crate) fn listen() -> Interrupt {
        let mut pressed: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(tokio::signal::ctrl_c());
        // Asked once, it listens.
        let _ = pressed.as_mut().now_or_never();
        Interrupt(pressed)
    }

    /// Does some work until Ctrl-C gives it up. What was given up is not to be gone on with.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            _ = &mut self.0 => Err(Failure::io("given up")),
            done = work => done,
        }
    }
}

/// The limits of a session.
pub(crate) fn limits(bounds: &Bounds) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(text) = &bounds.timeout {
        let micros = micros(text).map_err(|why| Failure::usage(format!("--timeout: {why}")))?;
        limits.time = Some(Duration::from_micros(micros.unsigned_abs()));
    }
    if let Some(text) = &bounds.memory {
        limits.memory = bytes(text).ok_or_else(|| {
            Failure::usage(format!(
                "--memory: \"{text}\" is not a size of 1m or more: 512m, 4g"
            ))
        })?;
    }
    Ok(limits)
}

/// `512m`, `4g`, `1.5GiB`, or bytes; units are powers of 1,024.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim().to_lowercase();
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let scale = match text[unit_at..].trim() {
        "" | "b" => 1_u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    let number: f64 = text[..unit_at].parse().ok()?;
    let bytes = number * scale as f64;
    // Less than a megabyte plans nothing; more than memory can be addressed with is a slip of the hand.
    (bytes >= (1 << 20) as f64 && bytes < isize::MAX as f64).then_some(bytes as usize)
}

/// How long something took, as people say it.
pub(crate) fn took(since: Instant) -> String {
    let time = since.elapsed();
    match time.as_millis() {
        0..1_000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(bytes("1g"), Some(1 << 30));
        assert_eq!(bytes("512 MiB"), Some(512 << 20));
        assert_eq!(bytes("1.5m"), Some(3 << 19));
        assert_eq!(bytes("2097152"), Some(2 << 20));
        for wrong in ["", "g", "1x", "-1g", "1k", "99999999t"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
