//! What a report is.
