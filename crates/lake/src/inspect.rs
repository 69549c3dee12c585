//! Looking a lake over: what its tables hold, and whether anything is lost or stored twice.

use std::collections::{BTreeMap, HashMap};

use finding::VersionHash;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::encoder::{day_from_text, day_of_file};
use crate::log::{Ledger, TableLog};
use crate::position::{self, Position, ShardKey};
use crate::writer::txn_prefix;
use crate::{Lake, LakeError, Table, read, upkeep};

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Which.
    pub table: Table,
    /// Delta version.
    pub version: i64,
    /// Rows, as the files' statistics say.
    pub rows: u64,
    /// Active data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How far a shard has been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Which.
    pub shard: ShardKey,
    /// How far.
    pub position: Position,
}

/// What [`Lake::verify`] looked at and found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Data files of all tables.
    pub files: u64,
    /// Rows of `findings`.
    pub rows: u64,
    /// Days of `findings`.
    pub days: u64,
    /// Commits whose ledger was added up.
    pub commits: u64,
    /// The sum of those ledgers.
    pub ledger: Ledger,
    /// Rows that retention took out.
    pub expired: u64,
    /// Whether the log goes back to the first commit, so that rows and ledger must agree.
    pub complete_log: bool,
    /// One line for each thing that is wrong. Empty when nothing is.
    pub problems: Vec<String>,
}

impl Lake {
    /// What each table holds, from the log alone.
    pub async fn info(&self) -> Result<Vec<TableInfo>, LakeError> {
        let mut tables = Vec::new();
        for table in Table::ALL {
            let log = self.log(table).await?;
            let files = &log.state().files;
            tables.push(TableInfo {
                table,
                version: log.state().version,
                rows: files.values().filter_map(|add| add.rows()).sum(),
                files: files.len() as u64,
                bytes: files.values().map(|add| add.size.max(0) as u64).sum(),
            });
        }
        Ok(tables)
    }

    /// How many rows `findings` has of each day (days since 1970), from the log alone.
    pub async fn findings_by_day(&self) -> Result<BTreeMap<i32, u64>, LakeError> {
        let log = self.log(Table::Findings).await?;
        let mut days = BTreeMap::new();
        for add in log.state().files.values() {
            if let (Some(day), Some(rows)) = (day_of_file(add), add.rows()) {
                *days.entry(day).or_default() += rows;
            }
        }
        Ok(days)
    }

    /// How far each shard has been stored.
    pub async fn positions(&self) -> Result<Vec<ShardInfo>, LakeError> {
        let log = self.log(Table::Findings).await?;
        let state = log.state();
        let all = position::all(&state.txns, &txn_prefix(&state.table_id));
        let info = |(shard, position)| ShardInfo { shard, position };
        Ok(all.into_iter().map(info).collect())
    }

    /// Reads every file's identities and every commit's ledger, and says what does not fit:
    /// a file that is missing or has another size or row count; a checkpoint that other readers stumble over; a version stored twice; a row past its shard's position;
    /// a ledger that does not balance; rows that no ledger counted.
    pub async fn verify(&self) -> Result<Verified, LakeError> {
        let mut found = Verified::default();
        for table in Table::ALL {
            let log = self.log(table).await?;
            self.verify_files(&log, table, &mut found).await?;
            let stumbles = upkeep::stumbles(log.store(), log.uri()).await?;
            found.problems.extend(stumbles.into_iter().map(|stumble| {
                let name = table.name();
                format!("{name}: {} (`lake vacuum` takes it away)", stumble.what)
            }));
            if table == Table::Findings {
                self.verify_versions(&log, &mut found).await?;
                self.verify_positions(&mut found).await;
                self.verify_ledger(&log, &mut found).await?;
            }
        }
        Ok(found)
    }

    async fn verify_files(
        &self,
        log: &TableLog,
        table: Table,
        found: &mut Verified,
    ) -> Result<(), LakeError> {
        for add in log.state().files.values() {
            found.files += 1;
            let path = match Path::from_url_path(&add.path) {
                Ok(path) => path,
                Err(error) => {
                    found.problems.push(format!(
                        "{}: `{}` is no path: {error}",
                        table.name(),
                        add.path
                    ));
                    continue;
                }
            };
            match log.store().head(&path).await {
                Ok(object) if object.size == add.size as u64 => {}
                Ok(object) => found.problems.push(format!(
                    "{}: {path} has {} bytes, the log says {}",
                    table.name(),
                    object.size,
                    add.size
                )),
                Err(object_store::Error::NotFound { .. }) => {
                    found
                        .problems
                        .push(format!("{}: {path} is missing", table.name()));
                }
                Err(source) => {
                    let doing = format!("look at {path}");
                    return Err(LakeError::Store {
                        doing,
                        uri: log.uri().to_owned(),
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    async fn verify_versions(&self, log: &TableLog, found: &mut Verified) -> Result<(), LakeError> {
        let mut days: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for add in log.state().files.values() {
            let day = add
                .partition_values
                .get("event_date")
                .cloned()
                .flatten()
                .unwrap_or_default();
            if day_from_text(&day).is_none() {
                found
                    .problems
                    .push(format!("findings: {} has no event_date", add.path));
            }
            days.entry(day).or_default().push(add.path.clone());
        }
        found.days = days.len() as u64;
        // Versions of one day only: the same version has the same event time, so the same day.
        for (day, paths) in days {
            let mut seen: HashMap<VersionHash, &str> = HashMap::new();
            let files = match read::versions(&log.shared_store(), log.uri(), &paths).await {
                Ok(files) => files,
                Err(error) => {
                    found.problems.push(format!("findings: {day}: {error}"));
                    continue;
                }
            };
            for (path, versions) in paths.iter().zip(files) {
                found.rows += versions.len() as u64;
                let said = log.state().files[path].rows();
                if said != Some(versions.len() as u64) {
                    found.problems.push(format!(
                        "findings: {path} has {} rows, the log says {said:?}",
                        versions.len()
                    ));
                }
                for version in versions {
                    if let Some(other) = seen.insert(version, path) {
                        found.problems.push(format!(
                            "findings: {day}: a version is in {other} and in {path}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    async fn verify_positions(&self, found: &mut Verified) {
        let checks = match self.check_positions().await {
            Ok(checks) => checks,
            Err(error) => {
                found.problems.push(format!("findings: positions: {error}"));
                return;
            }
        };
        for check in checks.iter().filter(|check| !check.holds()) {
            let number = |position: &Option<Position>| {
                let number = position.as_ref()?.sequence_number.as_ref()?;
                Some(number.to_string())
            };
            found.problems.push(format!(
                "findings: {} of {} holds row {:?}, past its position {:?}",
                check.shard.shard_id,
                check.shard.source,
                number(&check.newest_row),
                number(&check.position)
            ));
        }
    }

    async fn verify_ledger(&self, log: &TableLog, found: &mut Verified) -> Result<(), LakeError> {
        found.complete_log = true;
        for version in 0..=log.state().version {
            let Some(commit) = log.commit_at(version).await? else {
                found.complete_log = false;
                continue;
            };
            found.expired += commit.expired.unwrap_or(0);
            let Some(ledger) = commit.ledger else {
                continue;
            };
            found.commits += 1;
            found.ledger += ledger;
            if !ledger.balances() {
                found.problems.push(format!(
                    "findings: the ledger of version {version} does not balance: {ledger:?}"
                ));
            }
            let new = commit.adds.iter().filter(|add| add.data_change);
            let rows: u64 = new.filter_map(|add| add.rows()).sum();
            if rows != ledger.committed {
                found.problems.push(format!(
                    "findings: version {version} added {rows} rows, its ledger says {}",
                    ledger.committed
                ));
            }
        }
        let kept = found.ledger.committed.checked_sub(found.expired);
        if found.complete_log && kept != Some(found.rows) {
            found.problems.push(format!(
                "findings: {} rows, but the ledgers of all commits say {}, {} of them expired since",
                found.rows, found.ledger.committed, found.expired
            ));
        }
        Ok(())
    }
}
