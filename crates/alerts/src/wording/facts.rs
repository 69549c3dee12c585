//! What there is to know of an alert, by name, what matters most first.

use super::sentence::{accounts, time};
use super::{Fact, Shape, VALUE, group_words, known, tame};
use crate::clean;
use crate::life::Alert;
use crate::notice::{Item, Notice};

/// How many accounts, finding ids, regions, columns and values are named before the rest is only counted.
const ACCOUNTS: usize = 10;
const FINDINGS: usize = 5;
const REGIONS: usize = 10;
const COLUMNS: usize = 6;
const VALUES: usize = 5;
/// Longer SQL is not told: `guardlake alert show` prints it.
const SQL: usize = 2_500;

pub(super) fn of_item(notice: &Notice, item: &Item) -> Vec<Fact> {
    let (alert, rule) = (&item.alert, &item.rule);
    let mut facts = Facts(Vec::new());
    facts.short("Group", group_words(&alert.group, &item.accounts));
    facts.short("Count", Some(count(alert)));
    facts.short("First seen", Some(time(alert.first_seen)));
    facts.short("Last seen", Some(time(alert.last_seen)));
    facts.short(
        "Worst finding",
        alert.max_severity.map(|label| label.as_str().to_owned()),
    );
    facts.short(
        "Regions",
        named(&alert.regions, alert.regions.len() as i64, REGIONS),
    );
    let total = alert.accounts.len();
    let listed = (total > 0).then(|| format!("{total}: {}", accounts(item, ACCOUNTS)));
    facts.long("Accounts", listed);
    facts.long(
        "Findings",
        named(&alert.findings, alert.findings_total, FINDINGS),
    );
    for top in item.top.iter().take(COLUMNS) {
        let values: Vec<String> = (top.values.iter().take(VALUES))
            .map(|(value, rows)| format!("{rows} × {}", tame(value, VALUE)))
            .collect();
        let name = format!("Most frequent {}", tame(&top.column, 60));
        facts.long(&name, (!values.is_empty()).then(|| values.join(", ")));
    }
    if let Some(runbook) = &rule.runbook {
        facts.link("Runbook", runbook);
    }
    facts.trusted("What it looks for", &rule.description, 600);
    for harmless in rule.false_positives.iter().take(5) {
        facts.trusted("It may also be", harmless, 300);
    }
    for reference in rule.references.iter().take(5) {
        facts.link("Read on", reference);
    }
    let id = clean(&alert.rule, 128);
    let owner = rule
        .owner
        .as_deref()
        .map(|owner| format!(", owner {}", clean(owner, 60)));
    facts.short("Rule", Some(format!("{id}{}", owner.unwrap_or_default())));
    facts.short("Route", Some(clean(&notice.route, 200).into_owned()));
    let id = clean(&alert.alert_id, 64);
    facts.short("Alert", Some(id.to_string()));
    if let Some(sql) = plain_sql(&alert.sql) {
        facts.push("The rows again", sql, Shape::Sql);
    } else if !alert.sql.is_empty() {
        let ask = format!("guardlake alert show {id} prints the SQL that returns them");
        facts.long("The rows again", Some(ask));
    }
    facts.0
}

pub(super) fn of_group(notice: &Notice) -> Vec<Fact> {
    let alerts = || notice.items.iter().map(|item| &item.alert);
    let mut facts = Facts(Vec::new());
    facts.short("Group", group_words(&notice.group, known(notice)));
    facts.short("Alerts", Some(notice.items.len().to_string()));
    facts.short(
        "First seen",
        alerts().map(|alert| alert.first_seen).min().map(time),
    );
    facts.short(
        "Last seen",
        alerts().map(|alert| alert.last_seen).max().map(time),
    );
    let unique = |words: Vec<&String>| {
        let mut words: Vec<String> = words.into_iter().cloned().collect();
        words.sort();
        words.dedup();
        words
    };
    let regions = unique(alerts().flat_map(|alert| &alert.regions).collect());
    facts.short("Regions", named(&regions, regions.len() as i64, REGIONS));
    let rules = unique(alerts().map(|alert| &alert.rule).collect());
    facts.long("Rules", named(&rules, rules.len() as i64, 8));
    let ids = unique(alerts().flat_map(|alert| &alert.accounts).collect());
    facts.long("Accounts", named(&ids, ids.len() as i64, ACCOUNTS));
    facts.short("Route", Some(clean(&notice.route, 200).into_owned()));
    facts.0
}

struct Facts(Vec<Fact>);

impl Facts {
    fn push(&mut self, name: &str, value: String, shape: Shape) {
        if !value.is_empty() {
            let name = name.to_owned();
            self.0.push(Fact { name, value, shape });
        }
    }

    fn short(&mut self, name: &str, value: Option<String>) {
        self.push(name, value.unwrap_or_default(), Shape::Short);
    }

    fn long(&mut self, name: &str, value: Option<String>) {
        self.push(name, value.unwrap_or_default(), Shape::Long);
    }

    /// What whoever wrote the rule says, in one line.
    fn trusted(&mut self, name: &str, text: &str, max: usize) {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.push(name, clean(&line, max).into_owned(), Shape::Long);
    }

    /// An address that whoever wrote the rule put there; other text stays text.
    fn link(&mut self, name: &str, address: &str) {
        let address = address.trim();
        let is_link = ["http://", "https://"]
            .iter()
            .any(|scheme| address.starts_with(scheme));
        let strange = |c: char| c.is_whitespace() || "<>\"'`|\\(){}[]^".contains(c);
        if is_link
            && address.len() <= 2_000
            && clean(address, 2_000) == address
            && !address.contains(strange)
        {
            self.push(name, address.to_owned(), Shape::Link);
        } else {
            self.trusted(name, address, 600);
        }
    }
}

/// `12 within 10m (threshold 10)`
fn count(alert: &Alert) -> String {
    let (count, threshold) = (alert.count, alert.threshold);
    format!(
        "{count} within {} (threshold {threshold})",
        clean(&alert.window, 40)
    )
}

/// `12: a, b, c and 9 more`
fn named(words: &[String], total: i64, most: usize) -> Option<String> {
    let named: Vec<String> = words.iter().take(most).map(|word| tame(word, 80)).collect();
    let rest = total.saturating_sub(named.len() as i64);
    match (named.is_empty(), rest) {
        (true, ..=0) => None,
        (true, _) => Some(total.to_string()),
        (false, ..=0) => Some(format!("{}: {}", named.len(), named.join(", "))),
        (false, rest) => Some(format!("{total}: {} and {rest} more", named.join(", "))),
    }
}

/// SQL that is safe to show as it must be run: nothing in it would be changed by taming, no code block ends in it, and no receiver that
/// fills in templates finds one.
fn plain_sql(sql: &str) -> Option<String> {
    let dull = |line: &str| {
        tame(line, SQL) == line && !line.contains(['`', '{', '}']) && !line.contains("[~")
    };
    let fits = !sql.is_empty() && sql.len() <= SQL && sql.split('\n').all(dull);
    fits.then(|| sql.to_owned())
}
