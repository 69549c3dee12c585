//! Gzip and Base64: bytes inside bytes.

use std::io::Read;

use flate2::bufread::GzDecoder;

/// First bytes of a gzip member with the one method there is (RFC 1952).
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// Unpacks all gzip members at the start of `bytes` as one text. Returns it and how many bytes of the input it took.
///
/// `unpacked` counts bytes over several calls, also of those that fail, and may not pass `limit`.
pub(super) fn gunzip(
    bytes: &[u8],
    limit: usize,
    unpacked: &mut usize,
) -> Result<(Vec<u8>, usize), String> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while rest.starts_with(GZIP) {
        let mut member = GzDecoder::new(rest);
        let room = (limit - *unpacked) as u64;
        let before = out.len();
        let end = member.by_ref().take(room + 1).read_to_end(&mut out);
        *unpacked += out.len() - before;
        if *unpacked > limit {
            *unpacked = limit;
            return Err(format!("gzip: unpacks to more than {limit} bytes"));
        }
        match end {
            Ok(_) => rest = member.into_inner(),
            Err(_) => return Err(format!("gzip: broken after {} unpacked bytes", out.len())),
        }
    }
    Ok((out, bytes.len() - rest.len()))
}

/// Base64 in the standard or the URL alphabet, with or without padding, white space ignored.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => continue,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}
