//! What must hold of `decode` for any bytes at all. Included by the fuzz target and by the property tests of `finding`.

use finding::{Decoded, boundary, decode};
use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// One item as far as it can be compared with another run's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// Byte offset of its document.
    pub(crate) offset: usize,
    /// Index within the document.
    pub(crate) item: u32,
    /// Everything the item says, but not why it was rejected.
    pub(crate) says: String,
    /// For a reject, where its bytes are when they are part of the input, and the reason.
    pub(crate) reject: Option<(Option<(usize, usize)>, String)>,
}

/// All items of an input. Panics where an item itself is not as promised.
pub(crate) fn items(bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    decode(bytes, &mut |at, decoded| {
        let (says, reject) = match decoded {
            Decoded::Finding(finding) => {
                assert!(
                    serde_json::from_str::<IgnoredAny>(&finding.raw).is_ok(),
                    "raw is not JSON"
                );
                assert!(
                    finding.raw.starts_with('{') && finding.raw.ends_with('}'),
                    "raw is not one object"
                );
                assert!(!finding.finding_id.is_empty(), "a finding without an id");
                let ips = &finding.remote_ips;
                assert!(ips.iter().all(|ip| !ip.is_empty()), "an empty address");
                assert!(
                    (1..ips.len().min(50)).all(|i| !ips[..i].contains(&ips[i])),
                    "an address twice"
                );
                let _ = (finding.version(), finding.event_time());
                (format!("{finding:?}"), None)
            }
            Decoded::Skipped => ("skipped".to_owned(), None),
            Decoded::Reject(reject) => {
                assert!(!reject.bytes.is_empty(), "a reject of nothing");
                assert!(
                    !reject.reason.chars().any(char::is_control),
                    "control characters in a reason"
                );
                let start = (reject.bytes.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
                let inside = start < bytes.len() && start + reject.bytes.len() <= bytes.len();
                let span = inside.then_some((start, start + reject.bytes.len()));
                (
                    format!("reject {:?}", reject.bytes),
                    Some((span, reject.reason)),
                )
            }
        };
        items.push(Item {
            offset: at.offset,
            item: at.item,
            says,
            reject,
        });
    });
    items
}

/// Decodes and checks everything that must hold.
pub(crate) fn check(bytes: &[u8]) {
    let all = items(bytes);
    for pair in all.windows(2) {
        let next = pair[1].offset == pair[0].offset && pair[1].item == pair[0].item + 1;
        let new = pair[1].offset > pair[0].offset && pair[1].item == 0;
        assert!(next || new, "items out of order: {pair:?}");
    }
    assert!(
        all.first().is_none_or(|first| first.item == 0),
        "the first item is not number 0"
    );
    let has_gzip = bytes.windows(3).any(|three| three == [0x1f, 0x8b, 8]);
    if !has_gzip {
        every_byte_is_accounted_for(bytes, &all);
        if let Some(cut) = boundary(bytes) {
            the_cut_changes_nothing(bytes, cut, &all);
        }
    }
}

/// Each document begins where the one before ended but for separators, and ends where serde_json says it does; what
/// is rejected as a whole reaches to the next one.
fn every_byte_is_accounted_for(bytes: &[u8], all: &[Item]) {
    let starts: Vec<&Item> = all.iter().filter(|item| item.item == 0).collect();
    let mut end = 0;
    for first in &starts {
        assert!(
            is_separators(&bytes[end..first.offset]),
            "bytes {end}..{} belong to nothing",
            first.offset
        );
        end = match &first.reject {
            Some((Some((start, end)), reason)) if *start == first.offset && is_broken(reason) => {
                let good = str::from_utf8(&bytes[*start..*end])
                    .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
                assert!(
                    !good || reason.contains("too deep") || !opens(bytes[*start]),
                    "rejected good JSON: {reason}"
                );
                *end
            }
            _ => {
                let mut documents =
                    Deserializer::from_slice(&bytes[first.offset..]).into_iter::<IgnoredAny>();
                assert!(
                    matches!(documents.next(), Some(Ok(_))),
                    "took what is not JSON at {}",
                    first.offset
                );
                first.offset + documents.byte_offset()
            }
        };
    }
    assert!(
        is_separators(&bytes[end..]),
        "the bytes from {end} on belong to nothing"
    );
}

fn the_cut_changes_nothing(bytes: &[u8], cut: usize, all: &[Item]) {
    assert!(
        cut > 0 && cut < bytes.len() && bytes[cut - 1] == b'\n',
        "no place to cut: {cut}"
    );
    let mut halves = items(&bytes[..cut]);
    halves.extend(items(&bytes[cut..]).into_iter().map(|item| Item {
        offset: item.offset + cut,
        ..item
    }));
    let say = |items: &[Item]| {
        items
            .iter()
            .map(|i| (i.offset, i.item, i.says.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(say(&halves), say(all), "cut at {cut}");
}

fn is_broken(reason: &str) -> bool {
    reason.starts_with("not JSON")
        || reason.starts_with("expected `{` or `[`")
        || reason.starts_with("gzip")
}

fn opens(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}

fn is_separators(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).replace('\u{feff}', "");
    text.bytes()
        .all(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | 0 | 0x1e))
}
