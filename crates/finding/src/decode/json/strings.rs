//! Inside JSON strings: where one may end, and what its escapes say.

/// Position of the first quote, backslash or control character from `pos` on, or the end. Eight bytes at a time.
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut pos: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (chunks, _) = bytes.get(pos..).unwrap_or_default().as_chunks::<8>();
    for eight in chunks {
        let word = u64::from_le_bytes(*eight);
        // Flipping the second bit moves the quote next to the control characters: one comparison for both.
        let low = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        // The lowest marked byte is exact: a borrow only spoils bytes above one that is marked rightly.
        let marks = (low | backslash) & !word & (ONES << 7);
        if marks != 0 {
            return pos + marks.trailing_zeros() as usize / 8;
        }
        pos += 8;
    }
    plain_end_bytewise(bytes, pos)
}

/// The last few bytes of an input.
#[cold]
#[inline(never)]
fn plain_end_bytewise(bytes: &[u8], mut pos: usize) -> usize {
    while bytes
        .get(pos)
        .is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..0x20))
    {
        pos += 1;
    }
    pos
}

/// Resolves the escapes of a string that was checked; lone surrogates become U+FFFD.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut used = at + 2;
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                used += 4;
                let high = hex4(rest, at + 2);
                let pair = (0xd800..0xdc00).contains(&high)
                    && rest.as_bytes().get(used..used + 2) == Some(b"\\u");
                let low = if pair { hex4(rest, used + 2) } else { 0 };
                if (0xdc00..0xe000).contains(&low) {
                    used += 6;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                        .unwrap_or('\u{fffd}')
                } else {
                    char::from_u32(high).unwrap_or('\u{fffd}')
                }
            }
            plain => char::from(plain),
        });
        rest = rest.get(used..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

fn hex4(text: &str, at: usize) -> u32 {
    text.get(at..at + 4)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .unwrap_or(0)
}
