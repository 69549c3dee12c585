//! Where documents begin and end in bytes of any framing: concatenated, in lines, in lists, packed, broken in places.

use memchr::{memchr2, memrchr};

use super::json::Fault;
use super::{envelope, packed};
use crate::{At, Decoded, Reject, Wrapper};

/// Most bytes that packed input of one call may unpack to, against bombs.
const MAX_UNPACKED: usize = 256 << 20;

/// Most lists, messages and packings inside each other.
const MAX_WRAPS: u8 = 8;

/// One walk over an input: where it is, and whom it tells.
pub(super) struct Walk<'v> {
    visit: &'v mut dyn FnMut(At, Decoded<'_>),
    at: At,
    handed_out: u64,
    wrapper: Wrapper,
    /// Inside a message, whose documents belong to the document that carries it.
    in_message: bool,
    wraps: u8,
    /// What to add to a position to get the offset in the unpacked input.
    shift: isize,
    unpacked: usize,
}

impl<'v> Walk<'v> {
    pub(super) fn new(visit: &'v mut dyn FnMut(At, Decoded<'_>)) -> Walk<'v> {
        Walk {
            visit,
            at: At { offset: 0, item: 0 },
            handed_out: 0,
            wrapper: Wrapper::None,
            in_message: false,
            wraps: 0,
            shift: 0,
            unpacked: 0,
        }
    }

    /// Walks over `bytes`, document by document.
    pub(super) fn over(&mut self, bytes: &[u8]) {
        let mut pos = 0;
        let mut text = Valid { start: 0, text: "" };
        loop {
            pos = skip_separators(bytes, pos);
            let Some(first) = bytes.get(pos) else { return };
            self.begin(pos);
            pos = match first {
                0x1f if bytes[pos..].starts_with(packed::GZIP) => self.over_packed(bytes, pos),
                b'{' | b'[' => {
                    text.reach(bytes, pos);
                    match envelope::read_document(self, text.text, pos - text.start) {
                        Ok(end) => text.start + end,
                        Err(fault) => self.over_broken(bytes, pos, &text, fault),
                    }
                }
                _ => {
                    let end = next_start(bytes, pos, usize::MAX);
                    let why = if bytes[pos..].starts_with(&[0x1f, 0x8b]) {
                        "gzip of an unknown method"
                    } else {
                        "expected `{` or `[`"
                    };
                    self.reject(&bytes[pos..end], &format!("{why} at byte 0"));
                    end
                }
            };
        }
    }

    fn begin(&mut self, pos: usize) {
        if !self.in_message {
            self.at = At {
                offset: pos.wrapping_add_signed(self.shift),
                item: 0,
            };
        }
    }

    fn over_broken(&mut self, bytes: &[u8], pos: usize, text: &Valid<'_>, fault: Fault) -> usize {
        let end = next_start(bytes, pos + 1, indent(bytes, pos));
        let at = text.start + fault.at;
        let cut = fault.at >= text.text.len() && at < bytes.len();
        let why = if cut { "invalid UTF-8" } else { fault.why };
        self.reject(
            &bytes[pos..end],
            &format!("not JSON: {why} at byte {}", at - pos),
        );
        end
    }

    fn over_packed(&mut self, bytes: &[u8], pos: usize) -> usize {
        match packed::gunzip(&bytes[pos..], MAX_UNPACKED, &mut self.unpacked) {
            Ok((inner, used)) => {
                let shift = self.shift;
                self.shift = shift + pos as isize;
                let before = self.handed_out;
                self.deeper_bytes(&bytes[pos..pos + used], |walk| walk.over(&inner));
                if self.handed_out == before {
                    self.hand_out(Decoded::Skipped);
                }
                self.shift = shift + inner.len() as isize - used as isize;
                pos + used
            }
            Err(why) => {
                // In binary a line break before a brace is chance; a quote after it hardly is.
                let mut end = pos;
                while end < bytes.len() {
                    end = next_start(bytes, end + 1, 0);
                    if bytes[end..].starts_with(b"{\"") {
                        break;
                    }
                }
                self.reject(&bytes[pos..end], &why);
                end
            }
        }
    }

    /// Walks over the text of a message: its documents are items of the document that carries it.
    pub(super) fn message(&mut self, text: &str, wrapper: Wrapper) {
        // What gzip looks like in Base64.
        match text
            .starts_with("H4sI")
            .then(|| packed::base64(text))
            .flatten()
        {
            Some(bytes) => self.message_bytes(&bytes, wrapper),
            None => self.message_bytes(text.as_bytes(), wrapper),
        }
    }

    /// The same for bytes.
    pub(super) fn message_bytes(&mut self, bytes: &[u8], wrapper: Wrapper) {
        let outside = (self.wrapper, self.in_message);
        let before = self.handed_out;
        (self.wrapper, self.in_message) = (wrapper, true);
        self.deeper_bytes(bytes, |walk| walk.over(bytes));
        (self.wrapper, self.in_message) = outside;
        if self.handed_out == before {
            self.hand_out(Decoded::Skipped);
        }
    }

    /// Runs `inner` one wrapping deeper, or rejects `text` when that is too deep.
    pub(super) fn deeper(&mut self, text: &str, inner: impl FnOnce(&mut Self)) {
        self.deeper_bytes(text.as_bytes(), inner);
    }

    fn deeper_bytes(&mut self, bytes: &[u8], inner: impl FnOnce(&mut Self)) {
        if self.wraps == MAX_WRAPS {
            return self.reject(bytes, "wrapped too deep");
        }
        self.wraps += 1;
        inner(self);
        self.wraps -= 1;
    }

    pub(super) fn hand_out(&mut self, decoded: Decoded<'_>) {
        (self.visit)(self.at, decoded);
        self.at.item = self.at.item.saturating_add(1);
        self.handed_out += 1;
    }

    /// White space at the end belongs to what lies between documents.
    pub(super) fn reject(&mut self, bytes: &[u8], reason: &str) {
        let end = bytes
            .iter()
            .rposition(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
            .map_or(0, |at| at + 1);
        let bytes = &bytes[..end];
        self.hand_out(Decoded::Reject(Reject {
            bytes,
            reason: reason.to_owned(),
        }));
    }

    pub(super) fn wrapper(&self) -> Wrapper {
        self.wrapper
    }

    /// How many items were handed out so far.
    pub(super) fn handed_out(&self) -> u64 {
        self.handed_out
    }
}

/// The longest valid UTF-8 text from `start` on. Checked once for the whole input when it is valid.
struct Valid<'a> {
    start: usize,
    text: &'a str,
}

impl<'a> Valid<'a> {
    /// Makes the text hold at least the ASCII byte at `pos`.
    fn reach(&mut self, bytes: &'a [u8], pos: usize) {
        if pos < self.start + self.text.len() {
            return;
        }
        self.start = pos;
        self.text = match std::str::from_utf8(&bytes[pos..]) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[pos..pos + error.valid_up_to()]).unwrap_or(""),
        };
    }
}

/// Past white space, commas, NULs, record separators (RFC 7464) and byte order marks between documents.
fn skip_separators(bytes: &[u8], mut pos: usize) -> usize {
    loop {
        match bytes.get(pos) {
            Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | 0 | 0x1e) => pos += 1,
            Some(0xef) if bytes[pos..].starts_with("\u{feff}".as_bytes()) => pos += 3,
            _ => return pos,
        }
    }
}

/// Blanks before `pos` when there is nothing else on its line, else 0.
fn indent(bytes: &[u8], pos: usize) -> usize {
    let blanks = bytes[..pos]
        .iter()
        .rev()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let opens_line = pos == blanks || bytes[pos - blanks - 1] == b'\n';
    if opens_line { blanks } else { 0 }
}

/// Where the next document may begin from `pos` on: a line that opens no deeper than `indent`, or `}` followed by `{`, which
/// inside a document there never is. The end when there is none.
fn next_start(bytes: &[u8], mut pos: usize, indent: usize) -> usize {
    while let Some(at) = bytes
        .get(pos..)
        .and_then(|rest| memchr2(b'\n', b'}', rest))
        .map(|at| pos + at)
    {
        pos = at + 1;
        if bytes[at] == b'\n' {
            let start = past(bytes, pos, b" \t");
            if matches!(bytes.get(start), Some(b'{' | b'[')) && start - pos <= indent {
                return start;
            }
        } else {
            let start = past(bytes, pos, b" \t\r\n");
            // Without a line break between them it could be the end of a text; not with a quote behind.
            let sure = bytes[pos..start].contains(&b'\n') || bytes.get(start + 1) == Some(&b'"');
            if bytes.get(start) == Some(&b'{') && sure {
                return start;
            }
        }
    }
    bytes.len()
}

fn past(bytes: &[u8], mut pos: usize, blanks: &[u8]) -> usize {
    while bytes.get(pos).is_some_and(|b| blanks.contains(b)) {
        pos += 1;
    }
    pos
}

/// The last line that opens with `{` after a line that closed with `}`.
pub(super) fn boundary(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(packed::GZIP) {
        return None;
    }
    let mut end = bytes.len();
    while let Some(line) = memrchr(b'\n', &bytes[..end]) {
        let opens = bytes.get(past(bytes, line + 1, b" \t\r\n")) == Some(&b'{');
        let before = bytes[..line]
            .iter()
            .rposition(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        match before {
            Some(at) if opens && bytes[at] == b'}' => return Some(line + 1),
            // Blank lines between are passed over at once.
            Some(at) => end = at + 1,
            None => return None,
        }
    }
    None
}
