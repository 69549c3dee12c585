//! Rules, suppressions, reports, channels and routes are read again when their files change: all of them, or, where anything is wrong with
//! any, none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alerts::Suppression;
use jobs::reports::{ReportFile, load};
use jobs::{Library, Limits, Session, rules};
use notifier::Outside;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::roles::Service;
use crate::args::{Run, SuppressionFolder};
use crate::commands::{alert, library, notify, report, suppressions};
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::wire_up;

/// Between looks at the files.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// What the files said when they were last right.
pub(super) struct Read {
    /// Counts the times that they were read.
    pub(super) number: u64,
    pub(super) library: Library,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) reports: Vec<ReportFile>,
}

/// The files of a service, as they were last read.
pub(super) struct Files {
    settings: Settings,
    rules: Option<PathBuf>,
    suppressions: SuppressionFolder,
    now: watch::Sender<Arc<Read>>,
}

/// When each file was last written, and how long it is.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Files {
    /// Reads them for the first time; a mistake in any is an error.
    pub(super) fn read(settings: &Settings, args: &Run) -> Result<Files, Failure> {
        let rules = args.rules.clone();
        let folder = SuppressionFolder {
            dir: args.suppressions.dir.clone(),
        };
        let read = read(settings, rules.as_deref(), &folder, 0)?;
        Ok(Files {
            settings: settings.clone(),
            rules,
            suppressions: folder,
            now: watch::Sender::new(Arc::new(read)),
        })
    }

    /// What they said.
    pub(super) fn now(&self) -> Arc<Read> {
        self.now.borrow().clone()
    }

    /// All files that there are, in the places that are looked at.
    fn seen(&self) -> Seen {
        let mut seen = Seen::new();
        let settings = &self.settings;
        let mut folders: Vec<PathBuf> = Vec::new();
        if let Some(sql) = &settings.sql.dir {
            folders.extend(jobs::Kind::ALL.map(|kind| sql.join(kind.folder())));
        }
        folders.extend(self.rules.clone().or_else(|| settings.rules.dir.clone()));
        let suppressions = self.suppressions.dir.clone();
        folders.extend(suppressions.or_else(|| settings.suppressions.dir.clone()));
        for folder in folders {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries {
                look(&mut seen, &entry.path());
            }
        }
        if let Some(file) = &settings.notify.file {
            look(&mut seen, file);
        }
        seen
    }

    async fn again(&self) -> Result<(), Failure> {
        let number = self.now().number + 1;
        let read = read(
            &self.settings,
            self.rules.as_deref(),
            &self.suppressions,
            number,
        )?;
        check_rules(&read.library).await?;
        if let Some(setup) = notify::setup(&self.settings, None)? {
            let channels = setup.build(&Outside::real(wire_up::system_time));
            channels.map_err(|error| Failure::usage(error.to_string()))?;
        }
        let (rules, reports) = (rules::load(&read.library).len(), read.reports.len());
        self.now.send_replace(Arc::new(read));
        note(&format!(
            "files were read again: {rules} rules, {reports} reports"
        ));
        Ok(())
    }
}

fn look(seen: &mut Seen, path: &Path) {
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.is_file()
    {
        let looks = (metadata.modified().ok(), metadata.len());
        seen.insert(path.to_owned(), looks);
    }
}

fn read(
    settings: &Settings,
    rules: Option<&Path>,
    folder: &SuppressionFolder,
    number: u64,
) -> Result<Read, Failure> {
    let library = library(settings, rules)?;
    alert::enabled_rules(&library)?;
    let wrong = report::mistakes(&library, settings);
    if !wrong.is_empty() {
        return Err(Failure::query(wrong.join("\n")));
    }
    Ok(Read {
        number,
        suppressions: suppressions(settings, folder)?,
        reports: load(&library),
        library,
    })
}

/// A rule that cannot be asked is told of before it takes the place of one that can.
async fn check_rules(library: &Library) -> Result<(), Failure> {
    let session = Session::in_memory(Vec::new(), library, &Limits::default()).await?;
    let mut wrong = Vec::new();
    for file in rules::load(library) {
        if let Ok(rule) = &file.rule
            && rule.enabled
            && let Err(error) = rules::check(&session, rule).await
        {
            wrong.push(error.to_string());
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::query(wrong.join("\n"))),
    }
}

impl Service {
    /// Reads the files again when they have changed, or on SIGHUP, until `stop`.
    pub(super) async fn reload(&self, stop: &CancellationToken) {
        let Ok(mut asked) = signal(SignalKind::hangup()) else {
            return stop.cancelled().await;
        };
        let mut known = self.files.seen();
        let mut before = known.clone();
        loop {
            let by_hand = tokio::select! {
                () = stop.cancelled() => return,
                _ = asked.recv() => true,
                () = tokio::time::sleep(BETWEEN_LOOKS) => false,
            };
            let seen = self.files.seen();
            // Whoever copies a folder of files is not half-way through it.
            let rests = seen == before;
            before.clone_from(&seen);
            if !by_hand && (seen == known || !rests) {
                continue;
            }
            known = seen;
            if let Err(failure) = self.files.again().await {
                metrics::counter!("guardlake_config_reload_failed_total").increment(1);
                note(&format!(
                    "changed files are not used, what held before holds on: {}",
                    failure.text()
                ));
            }
        }
    }
}
