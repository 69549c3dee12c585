//! Findings become columns: a [`Finding`] is appended to Arrow builders as it is decoded, without a tree in between.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use finding::Finding;

use crate::schema::{Table, list_item, timestamp};

/// Where a finding came from and when; stored beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// Stream ARN with creation time, or the file's URI.
    pub source: &'a str,
    /// Kinesis shard.
    pub shard_id: Option<&'a str>,
    /// Kinesis sequence number; for files the byte offset of the document.
    pub sequence_number: Option<&'a str>,
    /// KPL sub-sequence.
    pub sub_sequence: Option<i64>,
    /// Index of the finding in its record or document.
    pub item: u32,
    /// UTC microseconds: Kinesis' approximate arrival time.
    pub arrived_at: Option<i64>,
    /// UTC microseconds: when this program read it.
    pub ingested_at: i64,
    /// Fetched after the fact, so that only the last version is known.
    pub backfilled: bool,
}

/// Columns of `findings` without the partition column, being filled.
pub(crate) struct Rows {
    columns: Columns,
    schema: SchemaRef,
    rows: usize,
    bytes: usize,
}

impl Rows {
    pub(crate) fn new() -> Rows {
        Rows {
            columns: Columns::default(),
            schema: file_schema(Table::Findings),
            rows: 0,
            bytes: 0,
        }
    }

    /// Rows not yet finished.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Bytes of raw JSON not yet finished.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn append(&mut self, finding: &Finding<'_>, provenance: &Provenance<'_>) {
        self.columns.append(finding, provenance);
        self.rows += 1;
        self.bytes += finding.raw.len();
    }

    /// Takes the rows out as a batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), self.columns.finish())
    }
}

/// The schema of a data file: all columns but the partition column.
pub(crate) fn file_schema(table: Table) -> SchemaRef {
    let schema = table.schema();
    let kept = schema
        .fields()
        .iter()
        .filter(|field| !table.partition_columns().contains(&field.name().as_str()));
    Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

/// A builder that takes what one column of a finding is made of.
trait Column<T> {
    fn push(&mut self, value: T);
}

/// A new, empty builder of the column's type.
trait Fresh {
    fn fresh() -> Self;
}

macro_rules! simple_columns {
    ($($builder:ty: $value:ty),* $(,)?) => {$(
        impl Column<Option<$value>> for $builder {
            fn push(&mut self, value: Option<$value>) {
                self.append_option(value);
            }
        }
        impl Fresh for $builder {
            fn fresh() -> Self {
                <$builder>::new()
            }
        }
    )*};
}

simple_columns!(BooleanBuilder: bool, Int32Builder: i32, Int64Builder: i64, Float64Builder: f64);

impl Column<Option<&str>> for StringBuilder {
    fn push(&mut self, value: Option<&str>) {
        self.append_option(value);
    }
}

impl Fresh for StringBuilder {
    fn fresh() -> Self {
        StringBuilder::new()
    }
}

impl Column<Option<i64>> for TimestampMicrosecondBuilder {
    fn push(&mut self, value: Option<i64>) {
        self.append_option(value);
    }
}

impl Fresh for TimestampMicrosecondBuilder {
    fn fresh() -> Self {
        TimestampMicrosecondBuilder::new().with_data_type(timestamp())
    }
}

impl Column<&[Cow<'_, str>]> for ListBuilder<StringBuilder> {
    /// No values are null rather than an empty list: `IS NULL` then means "has none" in every column.
    fn push(&mut self, values: &[Cow<'_, str>]) {
        values
            .iter()
            .for_each(|value| self.values().append_value(value));
        self.append(!values.is_empty());
    }
}

impl Fresh for ListBuilder<StringBuilder> {
    fn fresh() -> Self {
        ListBuilder::new(StringBuilder::new()).with_field(list_item())
    }
}

/// Declares the builders, how each takes its value from a finding `f` and its provenance `p`, and their order.
macro_rules! columns {
    ($f:ident, $p:ident; $($name:ident: $builder:ty = $value:expr;)*) => {
        struct Columns { $($name: $builder),* }

        impl Default for Columns {
            fn default() -> Self {
                Columns { $($name: Fresh::fresh()),* }
            }
        }

        impl Columns {
            fn append(&mut self, $f: &Finding<'_>, $p: &Provenance<'_>) {
                $(self.$name.push($value);)*
            }

            fn finish(&mut self) -> Vec<ArrayRef> {
                vec![$(Arc::new(self.$name.finish())),*]
            }
        }
    };
}

type Text = StringBuilder;
type Texts = ListBuilder<StringBuilder>;
type Time = TimestampMicrosecondBuilder;

columns! { f, p;
    account_id: Text = Some(&*f.account_id);
    region: Text = Some(&*f.region);
    partition: Text = f.partition.as_deref();
    finding_id: Text = Some(&*f.finding_id);
    arn: Text = f.arn.as_deref();
    kind: Text = f.finding_type.as_deref();
    threat_purpose: Text = f.finding_type.as_deref().and_then(threat_purpose);
    threat_family: Text = f.finding_type.as_deref().and_then(threat_family);
    severity: Float64Builder = f.severity;
    severity_label: Text = f.severity_label.map(|label| label.as_str());
    title: Text = f.title.as_deref();
    description: Text = f.description.as_deref();
    resource_type: Text = f.resource_type.as_deref();
    resource_id: Text = f.resource_id.as_deref();
    action_type: Text = f.action_type.as_deref();
    remote_ip: Text = f.remote_ip();
    remote_ips: Texts = &f.remote_ips[..];
    remote_port: Int32Builder = f.remote_port;
    local_port: Int32Builder = f.local_port;
    direction: Text = f.direction.as_deref();
    protocol: Text = f.protocol.as_deref();
    blocked: BooleanBuilder = f.blocked;
    remote_country: Text = f.remote_country.as_deref();
    remote_city: Text = f.remote_city.as_deref();
    remote_asn: Int64Builder = f.remote_asn;
    remote_asn_org: Text = f.remote_asn_org.as_deref();
    dns_domain: Text = f.dns_domain.as_deref();
    api: Text = f.api.as_deref();
    service_name: Text = f.service_name.as_deref();
    error_code: Text = f.error_code.as_deref();
    user_name: Text = f.user_name.as_deref();
    user_type: Text = f.user_type.as_deref();
    principal_id: Text = f.principal_id.as_deref();
    access_key_id: Text = f.access_key_id.as_deref();
    instance_id: Text = f.instance_id.as_deref();
    bucket_names: Texts = &f.bucket_names[..];
    cluster_name: Text = f.cluster_name.as_deref();
    container_image: Text = f.container_image.as_deref();
    db_instance: Text = f.db_instance.as_deref();
    lambda_function: Text = f.lambda_function.as_deref();
    threat_lists: Texts = &f.threat_lists[..];
    detector_id: Text = f.detector_id.as_deref();
    count: Int64Builder = f.count;
    event_first_seen: Time = f.event_first_seen;
    event_last_seen: Time = f.event_last_seen;
    created_at: Time = f.created_at;
    updated_at: Time = f.updated_at;
    event_time: Time = f.event_time();
    archived: BooleanBuilder = f.archived;
    sample: BooleanBuilder = Some(f.sample);
    raw: Text = Some(&*f.raw);
    wire_shape: Text = Some(f.wire_shape.as_str());
    backfilled: BooleanBuilder = Some(p.backfilled);
    source: Text = Some(p.source);
    shard_id: Text = p.shard_id;
    sequence_number: Text = p.sequence_number;
    sub_sequence: Int64Builder = p.sub_sequence;
    item: Int32Builder = Some(p.item as i32);
    arrived_at: Time = p.arrived_at;
    ingested_at: Time = Some(p.ingested_at);
}

/// `Recon` of `Recon:EC2/PortProbeUnprotectedPort` (type grammar: GuardDuty user guide, "finding format").
fn threat_purpose(kind: &str) -> Option<&str> {
    kind.split_once(':')
        .map(|(purpose, _)| purpose)
        .filter(|purpose| !purpose.is_empty())
}

/// `C&CActivity` of `Backdoor:EC2/C&CActivity.B!DNS`.
fn threat_family(kind: &str) -> Option<&str> {
    let (_, rest) = kind.split_once(':')?.1.split_once('/')?;
    rest.split(['.', '!'])
        .next()
        .filter(|family| !family.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_fall_into_their_parts() {
        assert_eq!(threat_purpose("Recon:EC2/Portscan"), Some("Recon"));
        assert_eq!(
            threat_family("Backdoor:EC2/C&CActivity.B!DNS"),
            Some("C&CActivity")
        );
        assert_eq!(threat_family("PenTest:S3/KaliLinux"), Some("KaliLinux"));
        for odd in ["", "x", ":", "a:b", "a:b/"] {
            assert_eq!(threat_family(odd), None, "{odd}");
        }
    }

    #[test]
    fn builders_and_schema_name_the_same_columns() {
        let mut rows = Rows::new();
        rows.append(
            &Finding {
                remote_ips: vec!["192.0.2.1".into()],
                ..Finding::default()
            },
            &Provenance {
                source: "s",
                shard_id: None,
                sequence_number: None,
                sub_sequence: None,
                item: 0,
                arrived_at: None,
                ingested_at: 1,
                backfilled: false,
            },
        );
        assert_eq!(rows.len(), 1);
        // Types are checked by RecordBatch::try_new; a swap of two columns of one type shows in tests/it/walk.rs.
        assert_eq!(rows.finish().unwrap().num_rows(), 1);
        assert_eq!((rows.len(), rows.bytes()), (0, 0));
    }
}
