//! The reader against serde_json.
