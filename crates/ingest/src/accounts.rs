//! What is known of accounts, from a file: a CSV table or a YAML list. And what changes when it is read again.

use std::collections::BTreeMap;

use lake::AccountRow;
use serde::Deserialize;

/// Why a file of accounts cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct AccountsError {
    /// From 1.
    pub line: usize,
    /// A clause.
    pub message: String,
}

/// An account as a file has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    account_id: String,
    name: Option<String>,
    ou: Option<String>,
    owner: Option<String>,
    email: Option<String>,
    tags: BTreeMap<String, String>,
}

const COLUMNS: [&str; 5] = ["account_id", "name", "ou", "owner", "email"];

/// Reads a table with a header: `account_id`, and any of `name`, `ou`, `owner`, `email` and `tag:NAME`. Values of other rows may be
/// quoted. Empty values are unknown.
pub fn from_csv(text: &str) -> Result<Vec<AccountRow>, AccountsError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes());
    let wrong = |error: csv::Error| AccountsError {
        line: error.position().map_or(1, |at| at.line() as usize),
        message: error.to_string(),
    };
    let header = reader.headers().map_err(wrong)?.clone();
    for column in &header {
        if !COLUMNS.contains(&column) && !column.starts_with("tag:") {
            let known = COLUMNS.join(", ");
            return Err(AccountsError {
                line: 1,
                message: format!("there is no column `{column}`; there are {known} and tag:NAME"),
            });
        }
    }
    if !header.iter().any(|column| column == "account_id") {
        return Err(AccountsError {
            line: 1,
            message: "the column account_id is missing".to_owned(),
        });
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(1, |at| at.line() as usize);
        let mut entry = Entry::default();
        for (column, value) in header.iter().zip(&record) {
            let value = (!value.is_empty()).then(|| value.to_owned());
            match (column, value) {
                ("account_id", value) => entry.account_id = value.unwrap_or_default(),
                ("name", value) => entry.name = value,
                ("ou", value) => entry.ou = value,
                ("owner", value) => entry.owner = value,
                ("email", value) => entry.email = value,
                (tag, Some(value)) => {
                    let name = tag.trim_start_matches("tag:").to_owned();
                    entry.tags.insert(name, value);
                }
                (_, None) => {}
            }
        }
        rows.push((line, entry));
    }
    checked(rows)
}

/// Reads a list of `{account_id: "...", name: ..., ou: ..., owner: ..., email: ..., tags: {...}}`.
pub fn from_yaml(text: &str) -> Result<Vec<AccountRow>, AccountsError> {
    let entries: Vec<serde_saphyr::Spanned<Entry>> =
        serde_saphyr::from_str(text).map_err(|error| AccountsError {
            line: error.location().map_or(1, |at| at.line() as usize),
            message: error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        })?;
    let entries = entries.into_iter();
    checked(
        entries
            .map(|entry| (entry.referenced.line() as usize, entry.value))
            .collect(),
    )
}

fn checked(entries: Vec<(usize, Entry)>) -> Result<Vec<AccountRow>, AccountsError> {
    let mut rows: Vec<AccountRow> = Vec::with_capacity(entries.len());
    let mut known = BTreeMap::new();
    for (line, entry) in entries {
        let id = entry.account_id;
        let wrong = |message| Err(AccountsError { line, message });
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            let id = id.escape_default();
            return wrong(format!(
                "account_id: `{id}` is not twelve digits (put them in quotes)"
            ));
        }
        if let Some(first) = known.insert(id.clone(), line) {
            return wrong(format!("account_id: {id} is on line {first} already"));
        }
        rows.push(AccountRow {
            account_id: id,
            name: entry.name,
            ou: entry.ou,
            owner: entry.owner,
            email: entry.email,
            tags: entry.tags.into_iter().collect(),
            valid_from: 0,
            valid_to: None,
        });
    }
    Ok(rows)
}

/// The rows with the tags and owners that are known already, for when nobody asked for them anew.
pub fn with_tags_of(known: &[AccountRow], rows: Vec<AccountRow>) -> Vec<AccountRow> {
    let known: BTreeMap<&str, &AccountRow> = (known.iter())
        .map(|row| (row.account_id.as_str(), row))
        .collect();
    let kept = |row: AccountRow| match known.get(row.account_id.as_str()) {
        Some(before) => AccountRow {
            tags: before.tags.clone(),
            owner: before.owner.clone(),
            ..row
        },
        None => row,
    };
    rows.into_iter().map(kept).collect()
}

/// The rows to add so that what is known (the latest row of each account) becomes what is wanted: new accounts hold from the beginning of
/// time, because nothing else was known before; changed ones from `now` (UTC microseconds) on; those that are gone end there, if
/// `all` are wanted.
pub fn changes(
    known: &[AccountRow],
    wanted: Vec<AccountRow>,
    all: bool,
    now: i64,
) -> Vec<AccountRow> {
    let mut left: BTreeMap<&str, &AccountRow> = (known.iter())
        .map(|row| (row.account_id.as_str(), row))
        .collect();
    let mut rows = Vec::new();
    for row in wanted {
        let before = left.remove(row.account_id.as_str());
        let same = before.is_some_and(|before| {
            let as_before = AccountRow {
                valid_from: before.valid_from,
                valid_to: None,
                ..row.clone()
            };
            as_before == *before
        });
        if !same {
            rows.push(AccountRow {
                valid_from: if before.is_some() { now } else { 0 },
                ..row
            });
        }
    }
    if all {
        let gone = left.into_values().filter(|row| row.valid_to.is_none());
        rows.extend(gone.map(|row| AccountRow {
            valid_from: now,
            valid_to: Some(now),
            ..row.clone()
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_lists_say_the_same() {
        let csv = "account_id,name,ou,tag:env\n111122223333,\"Payments, prod\",Root/Prod,prod\n444455556666,,,\n";
        let yaml = "- account_id: \"111122223333\"\n  name: Payments, prod\n  ou: Root/Prod\n  tags: {env: prod}\n- account_id: \"444455556666\"\n";
        let rows = from_csv(csv).unwrap();
        assert_eq!(rows, from_yaml(yaml).unwrap());
        assert_eq!(rows[0].name.as_deref(), Some("Payments, prod"));
        assert_eq!(rows[0].tags, [("env".to_owned(), "prod".to_owned())]);
        assert_eq!(rows[1].name, None);
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = |text: &str| from_csv(text).unwrap_err().to_string();
        assert!(error("account_id\n123\n").starts_with("line 2: account_id: `123`"));
        assert!(error("account,name\n").contains("there is no column `account`"));
        assert!(error("name\nx\n").contains("account_id is missing"));
        let twice = error("account_id\n111122223333\n111122223333\n");
        assert!(
            twice.contains("line 3") && twice.contains("on line 2 already"),
            "{twice}"
        );
        let yaml = from_yaml("- account_id: \"111122223333\"\n  nmae: x\n").unwrap_err();
        assert_eq!(yaml.line, 2, "{yaml}");
    }

    #[test]
    fn tags_that_nobody_asked_for_stay() {
        let known = from_csv("account_id,name,owner,tag:env\n111122223333,a,blue,prod\n").unwrap();
        let wanted = from_csv("account_id,name\n111122223333,b\n444455556666,c\n").unwrap();
        let rows = with_tags_of(&known, wanted);
        assert_eq!(
            (rows[0].name.as_deref(), rows[0].owner.as_deref()),
            (Some("b"), Some("blue"))
        );
        assert_eq!((rows[0].tags.len(), rows[1].tags.len()), (1, 0));
    }

    #[test]
    fn only_what_changed_is_added() {
        let first = from_csv("account_id,name\n111122223333,a\n444455556666,b\n").unwrap();
        let known = changes(&[], first.clone(), true, 5);
        assert_eq!(known.len(), 2);
        assert!(
            known
                .iter()
                .all(|row| row.valid_from == 0 && row.valid_to.is_none())
        );
        assert_eq!(changes(&known, first.clone(), true, 9), []);
        let second = from_csv("account_id,name\n111122223333,c\n").unwrap();
        let rows = changes(&known, second.clone(), true, 9);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].name.as_deref(), rows[0].valid_from),
            (Some("c"), 9)
        );
        assert_eq!(
            (rows[1].account_id.as_str(), rows[1].valid_to),
            ("444455556666", Some(9))
        );
        assert_eq!(changes(&known, second, false, 9).len(), 1);
        // Gone, and back again.
        let back = changes(&rows, first, true, 20);
        assert_eq!(back.len(), 2, "{back:?}");
    }
}
