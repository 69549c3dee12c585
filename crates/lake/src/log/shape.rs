//! Whether a table is still one that this program can write: other writers may change its schema, or ask for features.

use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{DataType, StructField, StructType};
use serde::Deserialize;

use crate::Table;

/// The highest writer version without features that this program does not know (Delta protocol, "Writer Version Requirements").
const WRITER_VERSION: i32 = 2;
/// From this writer version on, features are named one by one.
const WRITER_WITH_FEATURES: i32 = 7;
/// Features that change nothing for a writer that only appends rows and rewrites files whole.
const WRITER_FEATURES: [&str; 2] = ["appendOnly", "invariants"];

/// What a `metaData` action says, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) id: String,
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
}

/// What a `protocol` action says, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    #[serde(default)]
    pub(crate) min_reader_version: i32,
    pub(crate) min_writer_version: i32,
    #[serde(default)]
    pub(crate) writer_features: Option<Vec<String>>,
}

/// Why nothing may be written to a table that looks like this; `None` when all is well.
///
/// Columns may be added as long as they may be null, comments and properties changed; what this program writes must stay.
pub(crate) fn refusal(table: Table, metadata: &Metadata, protocol: &Protocol) -> Option<String> {
    let features = protocol.writer_features.iter().flatten();
    let mut unknown = features.filter(|feature| !WRITER_FEATURES.contains(&feature.as_str()));
    match (protocol.min_writer_version, unknown.next()) {
        (..=WRITER_VERSION, _) | (WRITER_WITH_FEATURES, None) => {}
        (WRITER_WITH_FEATURES, Some(feature)) => {
            return Some(format!("it asks writers for the feature `{feature}`"));
        }
        (version, _) => return Some(format!("it asks for writer version {version}")),
    }
    if metadata.partition_columns != table.partition_columns() {
        let columns = metadata.partition_columns.join(", ");
        return Some(format!("it is partitioned by `{columns}`"));
    }
    let own: StructType = match table.schema().as_ref().try_into_kernel() {
        Ok(own) => own,
        Err(error) => return Some(format!("its schema cannot be compared: {error}")),
    };
    match serde_json::from_str(&metadata.schema_string) {
        Ok(found) => own
            .fields()
            .find_map(|field| missing(field.name(), &field.data_type, field.nullable, &found))
            .or_else(|| found.fields().find_map(|field| not_ours(field, &own))),
        Err(error) => Some(format!("its schema cannot be read: {error}")),
    }
}

/// Columns that this program writes and the table lacks because an older version made it. They may all be null; one that may
/// not is a matter for [`refusal`].
pub(crate) fn lacking(table: Table, metadata: &Metadata) -> Vec<StructField> {
    let own: Result<StructType, _> = table.schema().as_ref().try_into_kernel();
    let found: Result<StructType, _> = serde_json::from_str(&metadata.schema_string);
    let (Ok(own), Ok(found)) = (own, found) else {
        return Vec::new();
    };
    let lacks = |field: &&StructField| field.nullable && found.field(field.name()).is_none();
    own.fields().filter(lacks).cloned().collect()
}

fn missing(name: &str, kind: &DataType, nullable: bool, found: &StructType) -> Option<String> {
    match found.field(name) {
        None => Some(format!("the column `{name}` is gone")),
        Some(field) if field.data_type != *kind => {
            Some(format!("the column `{name}` is now {}", field.data_type))
        }
        Some(field) if nullable && !field.nullable => {
            Some(format!("the column `{name}` must not be null any more"))
        }
        Some(_) => None,
    }
}

fn not_ours(field: &StructField, own: &StructType) -> Option<String> {
    if field.metadata.contains_key("delta.invariants") {
        return Some(format!("the column `{}` has an invariant", field.name()));
    }
    (own.field(field.name()).is_none() && !field.nullable)
        .then(|| format!("the new column `{}` must not be null", field.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        change: impl Fn(&mut serde_json::Value, &mut Metadata, &mut Protocol),
        expected: &str,
    ) {
        let own: StructType = Table::Sources.schema().as_ref().try_into_kernel().unwrap();
        let mut schema = serde_json::to_value(&own).unwrap();
        let mut metadata = Metadata::default();
        let mut protocol = Protocol {
            min_reader_version: 1,
            min_writer_version: 2,
            writer_features: None,
        };
        change(&mut schema, &mut metadata, &mut protocol);
        metadata.schema_string = schema.to_string();
        let found = refusal(Table::Sources, &metadata, &protocol).unwrap_or_default();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_this_program_writes_must_stay() {
        let column = |name: &str, nullable: bool| serde_json::json!({ "name": name, "type": "string", "nullable": nullable, "metadata": {} });
        let add = |schema: &mut serde_json::Value, field| {
            schema["fields"].as_array_mut().unwrap().push(field);
        };
        check(|_, _, _| {}, "");
        check(|schema, _, _| add(schema, column("x", true)), "");
        check(
            |schema, _, _| add(schema, column("x", false)),
            "the new column `x` must not be null",
        );
        check(
            |schema, _, _| schema["fields"][0]["name"] = "url".into(),
            "the column `uri` is gone",
        );
        check(
            |schema, _, _| schema["fields"][0]["type"] = "long".into(),
            "the column `uri` is now long",
        );
        check(
            |_, metadata, _| metadata.partition_columns.push("uri".into()),
            "it is partitioned by `uri`",
        );
        check(
            |_, _, protocol| protocol.min_writer_version = 4,
            "it asks for writer version 4",
        );
        let features = |names: &[&str]| Protocol {
            min_reader_version: 1,
            min_writer_version: 7,
            writer_features: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        check(|_, _, protocol| *protocol = features(&["appendOnly"]), "");
        check(
            |_, _, protocol| *protocol = features(&["appendOnly", "deletionVectors"]),
            "it asks writers for the feature `deletionVectors`",
        );
    }
}
