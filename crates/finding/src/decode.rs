//! Bytes of any wire shape become findings, skipped events and rejects. Cannot fail, cannot panic.
//!
//! The road of a document: `framing` finds its bytes, `envelope` reads it in one pass and sees at its end what it was, and
//! hands it on as a finding in GuardDuty's own schema (`native`, with `resource`, `service` and `action`), as `asff` or as
//! `ocsf`. Beneath lie `json` (a reader that borrows), `scalar` (a value as what a column wants) and `time`.

mod action;
mod asff;
mod envelope;
mod flat;
mod framing;
mod json;
mod native;
mod ocsf;
mod packed;
mod resource;
mod scalar;
mod service;
mod time;

use crate::Finding;

/// Where in the input an item was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Byte offset of the top-level document the item came from. In packed input, the offset in what it unpacks to.
    pub offset: usize,
    /// Index of the item within that document (0 for a document that is one finding).
    pub item: u32,
}

/// One thing found in the input.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded<'a> {
    /// A finding.
    Finding(Box<Finding<'a>>),
    /// A document of `aws.guardduty` that is no finding (malware scan results, API calls via CloudTrail), or of another product.
    Skipped,
    /// Something unreadable, or a finding without identity.
    Reject(Reject<'a>),
}

/// What could not be read, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Reject<'a> {
    /// The bytes that were not understood, as they came (of a message inside a document: the message).
    pub bytes: &'a [u8],
    /// One clear line for a person. Never quotes the input.
    pub reason: String,
}

/// Walks `bytes` and hands every finding, skipped document and reject to `visit`, in order.
///
/// Framing is found: JSON documents one after the other with or without separators, lists, gzip of any of it. A document that
/// is not JSON to its end is one reject, and reading goes on where the next one begins. Packed input that unpacks to more than
/// 256 MiB is rejected.
pub fn decode(bytes: &[u8], visit: &mut dyn FnMut(At, Decoded<'_>)) {
    framing::Walk::new(visit).over(bytes);
}

/// The end of the last whole document in `bytes` when more input follows: a place at which valid JSON can always be cut
/// (after `}` and a line break, before `{`). `None` when there is no such place yet, and in packed input.
///
/// It is the start of a line. `decode` of the two halves hands out what `decode` of the whole does, also around broken documents.
pub fn boundary(bytes: &[u8]) -> Option<usize> {
    framing::boundary(bytes)
}
