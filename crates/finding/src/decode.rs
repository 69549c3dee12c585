//! Bytes of any wire shape become findings, skipped events and rejects. Cannot fail, cannot panic.

use crate::Finding;

/// Where in the input an item was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Byte offset of the top-level document the item came from.
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
    /// The bytes that were not understood, as they came.
    pub bytes: &'a [u8],
    /// One clear line for a person.
    pub reason: String,
}

/// Walks `bytes` and hands every finding, skipped document and reject to `visit`, in order.
pub fn decode(bytes: &[u8], visit: &mut dyn FnMut(At, Decoded<'_>)) {
    let _ = (bytes, visit);
}

/// The end of the last whole document in `bytes` when more input follows: a place at which valid JSON can always be cut
/// (after `}` and a line break, before `{`). `None` when there is no such place yet.
pub fn boundary(bytes: &[u8]) -> Option<usize> {
    let _ = bytes;
    None
}
