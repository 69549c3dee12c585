//! The tables: their columns in Arrow terms, and the Delta properties they are made with.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table of the lake. Each is a Delta table in a folder of its name under the lake's URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row for every published version of a finding.
    Findings,
    /// What could not be read: bytes, position, reason.
    Rejects,
    /// Files and objects that were loaded.
    Sources,
    /// Append-only events of each alert's life.
    AlertLog,
    /// Names, OU paths, tags and owners of accounts.
    Accounts,
    /// What a stream may have dropped before it was read.
    Gaps,
    /// Append-only: what is owed to whom, and every attempt to tell.
    Deliveries,
    /// Append-only: which report was made of which period, and where it lies.
    ReportLog,
}

impl Table {
    /// All tables, in the order in which they are made.
    pub const ALL: [Table; 8] = [
        Table::Findings,
        Table::Rejects,
        Table::Sources,
        Table::AlertLog,
        Table::Accounts,
        Table::Gaps,
        Table::Deliveries,
        Table::ReportLog,
    ];

    /// The folder and SQL name.
    pub fn name(self) -> &'static str {
        match self {
            Table::Findings => "findings",
            Table::Rejects => "rejects",
            Table::Sources => "sources",
            Table::AlertLog => "alert_log",
            Table::Accounts => "accounts",
            Table::Gaps => "gaps",
            Table::Deliveries => "deliveries",
            Table::ReportLog => "report_log",
        }
    }

    /// All columns, the partition column last.
    pub fn schema(self) -> SchemaRef {
        match self {
            Table::Findings => findings(),
            Table::Rejects => rejects(),
            Table::Sources => sources(),
            Table::AlertLog => alert_log(),
            Table::Accounts => accounts(),
            Table::Gaps => gaps(),
            Table::Deliveries => deliveries(),
            Table::ReportLog => report_log(),
        }
    }

    /// Columns that data files are partitioned by.
    pub fn partition_columns(self) -> &'static [&'static str] {
        match self {
            Table::Findings => &["event_date"],
            _ => &[],
        }
    }

    /// Columns with minimum and maximum in the Delta log: those that prune.
    pub fn stats_columns(self) -> &'static [&'static str] {
        match self {
            Table::Findings => &[
                "account_id",
                "region",
                "finding_id",
                "type",
                "severity",
                "remote_ip",
                "instance_id",
                "access_key_id",
                "count",
                "created_at",
                "updated_at",
                "event_time",
                "shard_id",
                "sequence_number",
                "ingested_at",
            ],
            Table::Rejects => &["source", "shard_id", "rejected_at"],
            Table::Sources => &["uri", "loaded_at"],
            Table::AlertLog => &["alert_id", "rule", "at"],
            Table::Accounts => &["account_id", "valid_from"],
            Table::Gaps => &["source", "shard_id", "detected_at"],
            Table::Deliveries => &["delivery_id", "channel", "at"],
            Table::ReportLog => &["report", "at"],
        }
    }
}

/// UTC microseconds.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A list of strings, Delta's way: items named `element`, nullable.
pub fn text_list() -> DataType {
    DataType::List(Arc::new(list_item()))
}

pub(crate) fn list_item() -> Field {
    Field::new("element", DataType::Utf8, true)
}

fn columns(list: &[(&str, DataType, bool)]) -> SchemaRef {
    Arc::new(Schema::new(
        list.iter()
            .map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable))
            .collect::<Vec<_>>(),
    ))
}

fn findings() -> SchemaRef {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Utf8};
    columns(&[
        ("account_id", Utf8, false),
        ("region", Utf8, false),
        ("partition", Utf8, true),
        ("finding_id", Utf8, false),
        ("arn", Utf8, true),
        ("type", Utf8, true),
        ("threat_purpose", Utf8, true),
        ("threat_family", Utf8, true),
        ("severity", Float64, true),
        ("severity_label", Utf8, true),
        ("title", Utf8, true),
        ("description", Utf8, true),
        ("resource_type", Utf8, true),
        ("resource_id", Utf8, true),
        ("action_type", Utf8, true),
        ("remote_ip", Utf8, true),
        ("remote_ips", text_list(), true),
        ("remote_port", Int32, true),
        ("local_port", Int32, true),
        ("direction", Utf8, true),
        ("protocol", Utf8, true),
        ("blocked", Boolean, true),
        ("remote_country", Utf8, true),
        ("remote_city", Utf8, true),
        ("remote_asn", Int64, true),
        ("remote_asn_org", Utf8, true),
        ("dns_domain", Utf8, true),
        ("api", Utf8, true),
        ("service_name", Utf8, true),
        ("error_code", Utf8, true),
        ("user_name", Utf8, true),
        ("user_type", Utf8, true),
        ("principal_id", Utf8, true),
        ("access_key_id", Utf8, true),
        ("instance_id", Utf8, true),
        ("bucket_names", text_list(), true),
        ("cluster_name", Utf8, true),
        ("container_image", Utf8, true),
        ("db_instance", Utf8, true),
        ("lambda_function", Utf8, true),
        ("threat_lists", text_list(), true),
        ("detector_id", Utf8, true),
        ("count", Int64, true),
        ("event_first_seen", timestamp(), true),
        ("event_last_seen", timestamp(), true),
        ("created_at", timestamp(), true),
        ("updated_at", timestamp(), true),
        ("event_time", timestamp(), true),
        ("archived", Boolean, true),
        ("sample", Boolean, false),
        ("raw", Utf8, false),
        ("wire_shape", Utf8, false),
        ("backfilled", Boolean, false),
        ("source", Utf8, false),
        ("shard_id", Utf8, true),
        ("sequence_number", Utf8, true),
        ("sub_sequence", Int64, true),
        ("item", Int32, false),
        ("arrived_at", timestamp(), true),
        ("ingested_at", timestamp(), false),
        ("event_date", Date32, false),
    ])
}

fn rejects() -> SchemaRef {
    use DataType::{Binary, Int32, Int64, Utf8};
    columns(&[
        ("source", Utf8, false),
        ("shard_id", Utf8, true),
        ("sequence_number", Utf8, true),
        ("sub_sequence", Int64, true),
        ("item", Int32, false),
        ("reason", Utf8, false),
        ("bytes", Binary, false),
        ("sha256", Utf8, false),
        ("arrived_at", timestamp(), true),
        ("rejected_at", timestamp(), false),
    ])
}

fn gaps() -> SchemaRef {
    use DataType::Utf8;
    columns(&[
        ("source", Utf8, false),
        ("shard_id", Utf8, false),
        ("after_sequence_number", Utf8, true),
        ("read_through", timestamp(), true),
        ("oldest_kept", timestamp(), true),
        ("reason", Utf8, false),
        ("detected_at", timestamp(), false),
    ])
}

fn sources() -> SchemaRef {
    use DataType::{Int64, Utf8};
    columns(&[
        ("uri", Utf8, false),
        ("etag", Utf8, false),
        ("bytes", Int64, false),
        ("received", Int64, false),
        ("committed", Int64, false),
        ("duplicate", Int64, false),
        ("rejected", Int64, false),
        ("skipped", Int64, false),
        ("expired", Int64, false),
        ("loaded_at", timestamp(), false),
    ])
}

fn alert_log() -> SchemaRef {
    use DataType::{Boolean, Int64, Utf8};
    columns(&[
        ("alert_id", Utf8, false),
        ("seq", Int64, false),
        ("event", Utf8, false),
        ("at", timestamp(), false),
        ("rule", Utf8, false),
        ("revision", Utf8, false),
        ("title", Utf8, false),
        ("severity", Utf8, false),
        ("group", Utf8, false),
        ("count", Int64, false),
        ("threshold", Int64, false),
        ("window", Utf8, false),
        ("window_us", Int64, false),
        ("window_start", timestamp(), false),
        ("window_end", timestamp(), false),
        ("first_match", timestamp(), false),
        ("last_match", timestamp(), false),
        ("matches", Int64, false),
        ("first_seen", timestamp(), false),
        ("last_seen", timestamp(), false),
        ("findings", text_list(), false),
        ("findings_total", Int64, false),
        ("accounts", text_list(), false),
        ("regions", text_list(), false),
        ("max_severity", Utf8, true),
        ("sql", Utf8, false),
        ("historic", Boolean, false),
        ("actor", Utf8, false),
        ("reason", Utf8, false),
        ("findings_version", Int64, false),
        ("rings", Boolean, true),
        ("told_count", Int64, true),
        ("told_severity", Utf8, true),
        ("until", timestamp(), true),
        ("suppressed_by", Utf8, true),
        ("types", text_list(), true),
    ])
}

fn accounts() -> SchemaRef {
    use DataType::Utf8;
    columns(&[
        ("account_id", Utf8, false),
        ("name", Utf8, true),
        ("ou", Utf8, true),
        ("owner", Utf8, true),
        ("email", Utf8, true),
        ("tags", Utf8, true),
        ("valid_from", timestamp(), false),
        ("valid_to", timestamp(), true),
    ])
}

fn deliveries() -> SchemaRef {
    use DataType::{Int64, Utf8};
    columns(&[
        ("delivery_id", Utf8, false),
        ("step", Utf8, false),
        ("at", timestamp(), false),
        ("route", Utf8, false),
        ("channel", Utf8, false),
        ("thread", Utf8, false),
        ("group", Utf8, false),
        ("events", text_list(), false),
        ("attempt", Int64, false),
        ("due", timestamp(), true),
        ("reason", Utf8, false),
        ("reference", Utf8, true),
        ("detail", Utf8, true),
        ("worker", Utf8, false),
    ])
}

fn report_log() -> SchemaRef {
    use DataType::Utf8;
    columns(&[
        ("report", Utf8, false),
        ("step", Utf8, false),
        ("period", Utf8, false),
        ("period_from", timestamp(), true),
        ("period_to", timestamp(), true),
        ("at", timestamp(), false),
        ("by", Utf8, false),
        ("location", Utf8, true),
        ("documents", text_list(), false),
        ("digest", Utf8, true),
        ("channels", text_list(), false),
    ])
}
