//! What a notifier knows: the log of deliveries added up, the alerts, and what is called how.

use std::collections::{BTreeSet, HashMap};

use alerts::outbox::{DeliveryRow, ItemRef, Outbox};
use alerts::{AccountNotes, Alert, AlertEvent, Event, followed};
use lake::{Lake, LakeError, ReportRow, ReportStep, Table};

use super::publish;

/// Positions without rows are committed this often: microseconds.
const POSITION_EVERY: i64 = 600_000_000;
/// Where it cannot be said which events are new, those of so many microseconds are looked at.
const LOOKED_BACK: i64 = 86_400_000_000;

/// Follows two logs and the table of accounts.
pub(super) struct Book {
    pub(super) outbox: Outbox,
    /// Of the log of deliveries.
    pub(super) version: i64,
    /// Of the alert log.
    pub(super) alert_log_version: i64,
    /// The version of the alert log through which deliveries are planned.
    planned: i64,
    committed_at: i64,
    alerts: HashMap<String, Alert>,
    /// Events that deliveries are owed for, or may be, and the alerts as they left them.
    snapshots: HashMap<ItemRef, (Event, Alert)>,
    /// Events that no delivery is planned for yet, in the order of the log.
    news: Vec<(ItemRef, bool)>,
    accounts: HashMap<String, AccountNotes>,
    accounts_version: i64,
    /// Reports that channels are to hear of.
    reports: Vec<ReportRow>,
    reports_version: i64,
}

impl Book {
    pub(super) async fn open(lake: &Lake) -> Result<Book, LakeError> {
        // The first notifier begins here.
        loop {
            let (version, planned) = lake.deliveries_version().await?;
            if planned.is_some() {
                break;
            }
            let now = lake.alert_log_version().await?;
            lake.append_deliveries(version, &[], Some(now)).await?;
        }
        let mut book = Book {
            outbox: Outbox::default(),
            version: -1,
            alert_log_version: -1,
            planned: -1,
            committed_at: 0,
            alerts: HashMap::new(),
            snapshots: HashMap::new(),
            news: Vec::new(),
            accounts: HashMap::new(),
            accounts_version: -1,
            reports: Vec::new(),
            reports_version: -1,
        };
        book.follow(lake).await?;
        Ok(book)
    }

    /// Reads what was added to the logs.
    pub(super) async fn follow(&mut self, lake: &Lake) -> Result<(), LakeError> {
        let (version, planned) = lake.deliveries_version().await?;
        if version != self.version {
            let added = match self.version {
                -1 => None,
                before => lake.deliveries_between(before, version).await?,
            };
            match added {
                Some(rows) => rows.iter().for_each(|row| self.outbox.apply(row)),
                None => {
                    self.outbox = Outbox::default();
                    let rows = lake.deliveries().await?;
                    rows.iter().for_each(|row| self.outbox.apply(row));
                }
            }
            self.version = version;
        }
        let planned = planned.unwrap_or(self.planned).max(self.planned);
        self.follow_alerts(lake, planned).await?;
        let accounts = lake.version(Table::Accounts).await?;
        if accounts != self.accounts_version {
            self.accounts = lake.accounts().await?.into_iter().map(notes).collect();
            self.accounts_version = accounts;
        }
        if lake.version(Table::ReportLog).await? != self.reports_version {
            let (version, rows) = lake.reports().await?;
            self.reports = rows;
            self.reports
                .retain(|row| row.step == ReportStep::Made && !row.channels.is_empty());
            self.reports_version = version;
        }
        Ok(())
    }

    /// Reports that channels were never owed, made at or after `since` (UTC microseconds): the channel, and the report.
    pub(super) fn unpublished(&self, since: i64) -> impl Iterator<Item = (&String, &ReportRow)> {
        let recent = self.reports.iter().filter(move |row| row.at >= since);
        let owed = recent.flat_map(|row| row.channels.iter().map(move |channel| (channel, row)));
        owed.filter(|(channel, row)| !self.outbox.is_told(&publish::id(row), channel))
    }

    async fn follow_alerts(&mut self, lake: &Lake, planned: i64) -> Result<(), LakeError> {
        let version = lake.alert_log_version().await?;
        if version != self.alert_log_version {
            let added = match self.alert_log_version {
                -1 => None,
                before => lake.alert_events_between(before, version).await?,
            };
            match added {
                Some(events) => self.take(events, &|_| true),
                None => {
                    let events = lake.alert_events().await?;
                    let newest = events.iter().map(|event| event.at).max().unwrap_or(0);
                    let fresh = lake.alert_events_between(planned, version).await?;
                    let fresh: Option<BTreeSet<ItemRef>> =
                        fresh.map(|events| events.iter().map(item).collect());
                    self.alerts.clear();
                    self.news.clear();
                    self.take(events, &|event| match &fresh {
                        Some(fresh) => fresh.contains(&item(event)),
                        None => event.at > newest - LOOKED_BACK,
                    });
                }
            }
            self.alert_log_version = version;
        }
        // Somebody else has planned what was new.
        if planned > self.planned {
            if planned >= self.alert_log_version {
                self.news.clear();
            } else if let Some(left) = lake.alert_events_between(planned, version).await? {
                let left: BTreeSet<ItemRef> = left.iter().map(item).collect();
                self.news.retain(|(item, _)| left.contains(item));
            }
            self.planned = planned;
        }
        Ok(())
    }

    /// Follows events, in the order of each alert's life.
    fn take(&mut self, mut events: Vec<AlertEvent>, is_news: &dyn Fn(&AlertEvent) -> bool) {
        events.sort_by_key(|event| event.seq);
        let needed: BTreeSet<ItemRef> = self.outbox.needed().cloned().collect();
        for event in events {
            let before = self.alerts.get(&event.alert_id);
            if before.is_some_and(|alert| alert.seq >= event.seq) {
                continue;
            }
            let (item, kind, rings, news) =
                (item(&event), event.event, event.rings, is_news(&event));
            let alert = followed(before, event);
            if news {
                self.news.push((item.clone(), rings));
            }
            if news || needed.contains(&item) {
                self.snapshots.insert(item, (kind, alert.clone()));
            }
            self.alerts.insert(alert.alert_id.clone(), alert);
        }
    }

    /// What no delivery is planned for yet: what happened, whether it rings, and the alert as it was left.
    pub(super) fn news(&self) -> impl Iterator<Item = (Event, bool, &Alert)> {
        self.news.iter().filter_map(|(item, rings)| {
            let (event, alert) = self.snapshots.get(item)?;
            Some((*event, *rings, alert))
        })
    }

    /// The alert as one of its events left it; as it is now, where that is not known any more.
    pub(super) fn as_of(&self, alert_id: &str, seq: i64) -> Option<(Event, Alert)> {
        let item = ItemRef {
            alert_id: alert_id.to_owned(),
            seq,
        };
        let known = self.snapshots.get(&item).cloned();
        known.or_else(|| {
            let alert = self.alerts.get(alert_id)?.clone();
            let event = match alert.state.is_unresolved() {
                true => Event::Opened,
                false => Event::Resolved,
            };
            Some((event, alert))
        })
    }

    /// The alert as it is now.
    pub(super) fn alert(&self, alert_id: &str) -> Option<&Alert> {
        self.alerts.get(alert_id)
    }

    /// What is known of an alert's accounts; those of which nothing is known by their ids.
    pub(super) fn notes(&self, alert: &Alert) -> Vec<AccountNotes> {
        let notes = |id: &String| match self.accounts.get(id) {
            Some(known) => known.clone(),
            None => AccountNotes {
                account_id: id.clone(),
                ..AccountNotes::default()
            },
        };
        alert.accounts.iter().map(notes).collect()
    }

    /// Whether the position is worth a commit of its own.
    pub(super) fn has_moved(&self, now: i64) -> bool {
        let due = self.committed_at.saturating_add(POSITION_EVERY) <= now;
        self.alert_log_version > self.planned && due
    }

    /// Rows of ours are in the log.
    pub(super) fn committed(&mut self, version: i64, rows: &[DeliveryRow]) {
        rows.iter().for_each(|row| self.outbox.apply(row));
        self.version = version;
    }

    /// Everything that was read is planned, and the log says so.
    pub(super) fn planned(&mut self, now: i64) {
        self.planned = self.alert_log_version;
        self.news.clear();
        self.committed_at = now;
    }

    /// Forgets events that nothing is owed for.
    pub(super) fn forget(&mut self) {
        let needed: BTreeSet<&ItemRef> = self.outbox.needed().collect();
        let news: BTreeSet<&ItemRef> = self.news.iter().map(|(item, _)| item).collect();
        self.snapshots
            .retain(|item, _| needed.contains(item) || news.contains(item));
    }
}

fn item(event: &AlertEvent) -> ItemRef {
    ItemRef {
        alert_id: event.alert_id.clone(),
        seq: event.seq,
    }
}

fn notes(row: lake::AccountRow) -> (String, AccountNotes) {
    let notes = AccountNotes {
        account_id: row.account_id.clone(),
        name: row.name,
        ou: row.ou,
        owner: row.owner,
    };
    (row.account_id, notes)
}
