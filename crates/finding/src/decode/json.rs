//! A pull reader over JSON text that borrows everything, keeps positions and never fails on a value's type.
//!
//! It validates the full grammar (RFC 8259) also of what it skips, so that the raw text of a finding is always valid JSON.
//! Written by hand because wrong-typed values, numbers without bounds, lone surrogates and exact positions are daily bread
//! here and errors in serde_json. The tests hold it against serde_json: same texts accepted, same values read.

mod strings;

use std::borrow::Cow;

use self::strings::{plain_end, unescape};
use super::scalar::Scalar;

/// Deepest nesting of objects and lists accepted: what serde_json accepts too, so that readers of `raw` can follow.
pub(super) const MAX_DEPTH: u32 = 127;

/// Why a text is not JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Byte position in the text.
    pub(super) at: usize,
    /// What was expected or found, in a few words.
    pub(super) why: &'static str,
}

type Read<T> = Result<T, Fault>;

/// A position in JSON text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pos: usize,
    depth: u32,
}

/// The name of a member, lower-cased: camelCase, PascalCase and the lower case of Athena are one name here.
pub(super) struct Key<'a> {
    /// The name as written, escapes resolved.
    pub(super) text: Cow<'a, str>,
    lower: [u8; LONGEST_NAME],
    len: usize,
}

/// No name we know is longer.
const LONGEST_NAME: usize = 32;

impl<'a> Key<'a> {
    /// `from` begins with the name where the name has no escapes, so that a fixed number of bytes can be folded at once.
    #[inline]
    fn of(text: Cow<'a, str>, from: &[u8]) -> Key<'a> {
        let len = if text.len() <= LONGEST_NAME {
            text.len()
        } else {
            0
        };
        let mut lower = match (from.first_chunk::<LONGEST_NAME>(), &text) {
            (Some(chunk), Cow::Borrowed(_)) => *chunk,
            _ => {
                let mut lower = [0; LONGEST_NAME];
                lower[..len].copy_from_slice(&text.as_bytes()[..len]);
                lower
            }
        };
        lower.make_ascii_lowercase();
        Key { text, lower, len }
    }

    /// The lower-cased name; empty when it is longer than any name we know.
    #[inline]
    pub(super) fn name(&self) -> &[u8] {
        &self.lower[..self.len]
    }

    /// Whether it starts with a capital, as in the SDK's names.
    pub(super) fn is_pascal(&self) -> bool {
        self.text
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_uppercase)
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, pos: usize) -> Cursor<'a> {
        Cursor {
            text,
            pos,
            depth: 0,
        }
    }

    /// Byte position in the text.
    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn fault<T>(&self, why: &'static str) -> Read<T> {
        Err(Fault {
            at: self.pos,
            why: if self.pos >= self.text.len() {
                "the text ends too early"
            } else {
                why
            },
        })
    }

    #[inline]
    fn space(&mut self) {
        let bytes = self.bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.pos) {
            self.pos += 1;
        }
    }

    #[inline]
    /// Moves to the next value or sign and returns its first byte, 0 at the end of the text.
    pub(super) fn peek(&mut self) -> u8 {
        self.space();
        self.bytes().get(self.pos).copied().unwrap_or(0)
    }

    fn enter(&mut self) -> Read<()> {
        if self.depth == MAX_DEPTH {
            return self.fault("nested too deep");
        }
        self.depth += 1;
        self.pos += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.pos += 1;
    }

    /// Hands each member of the object at the cursor to `member`, which must read exactly the member's value.
    /// A value that is no object is skipped, but of a list its first element is taken.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &Key<'a>) -> Read<()>,
    ) -> Read<()> {
        match self.peek() {
            b'{' => self.members(&mut member),
            b'[' => {
                let mut first = true;
                self.elements(|c| {
                    let taken = std::mem::replace(&mut first, false) && c.peek() == b'{';
                    if taken {
                        c.members(&mut member)
                    } else {
                        c.skip()
                    }
                })
            }
            _ => self.skip(),
        }
    }

    #[inline]
    fn members(&mut self, member: &mut impl FnMut(&mut Self, &Key<'a>) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.peek() == b'}' {
            self.leave();
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return self.fault("expected a member name");
            }
            let start = self.pos + 1;
            let key = Key::of(self.string()?, &self.bytes()[start..]);
            self.colon()?;
            member(self, &key)?;
            match self.peek() {
                b',' => self.pos += 1,
                b'}' => {
                    self.leave();
                    return Ok(());
                }
                _ => return self.fault("expected `,` or `}`"),
            }
        }
    }

    /// Calls `element` at each element of the list at the cursor, which must read exactly that element.
    /// A single value where a list is expected is a list of one; null is none.
    pub(super) fn each(&mut self, mut element: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        match self.peek() {
            b'[' => self.elements(element),
            b'n' => self.skip(),
            _ => element(self),
        }
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.peek() == b']' {
            self.leave();
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                b',' => self.pos += 1,
                b']' => {
                    self.leave();
                    return Ok(());
                }
                _ => return self.fault("expected `,` or `]`"),
            }
        }
    }

    fn colon(&mut self) -> Read<()> {
        if self.peek() != b':' {
            return self.fault("expected `:`");
        }
        self.pos += 1;
        Ok(())
    }

    /// Reads a value as a scalar. Of a list the first element is taken; objects are skipped.
    pub(super) fn scalar(&mut self) -> Read<Scalar<'a>> {
        match self.peek() {
            b'"' => self.string().map(Scalar::Text),
            b'[' => {
                let mut first = None;
                self.elements(|c| {
                    if first.is_none() && !matches!(c.peek(), b'[' | b'{') {
                        first = Some(c.scalar()?);
                        return Ok(());
                    }
                    first.get_or_insert(Scalar::Null);
                    c.skip()
                })?;
                Ok(first.unwrap_or(Scalar::Null))
            }
            b'{' => self.skip().map(|()| Scalar::Null),
            first => {
                let start = self.pos;
                self.skip()?;
                Ok(match first {
                    b't' => Scalar::Bool(true),
                    b'f' => Scalar::Bool(false),
                    b'n' => Scalar::Null,
                    _ => Scalar::Number(&self.text[start..self.pos]),
                })
            }
        }
    }

    /// Reads the string at the cursor; it borrows unless it has escapes.
    pub(super) fn string(&mut self) -> Read<Cow<'a, str>> {
        let start = self.pos + 1;
        let escaped = self.skip_string()?;
        let inner = &self.text[start..self.pos - 1];
        Ok(if escaped {
            Cow::Owned(unescape(inner))
        } else {
            Cow::Borrowed(inner)
        })
    }

    /// Skips one value and returns its text.
    pub(super) fn raw(&mut self) -> Read<&'a str> {
        self.space();
        let start = self.pos;
        self.skip()?;
        Ok(&self.text[start..self.pos])
    }

    /// The text from `start` to the cursor.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.pos]
    }

    /// Skips one value, checking its grammar. Not recursive: one bit a level says object or list.
    pub(super) fn skip(&mut self) -> Read<()> {
        let (mut objects, mut levels) = (0u128, 0u32);
        loop {
            match self.peek() {
                b'"' => {
                    self.skip_string()?;
                }
                sign @ (b'{' | b'[') => {
                    self.enter()?;
                    let object = sign == b'{';
                    if self.peek() == if object { b'}' } else { b']' } {
                        self.leave();
                    } else {
                        objects = objects << 1 | u128::from(object);
                        levels += 1;
                        if object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.skip_number()?,
                b't' => self.skip_word("true")?,
                b'f' => self.skip_word("false")?,
                b'n' => self.skip_word("null")?,
                _ => return self.fault("expected a value"),
            }
            loop {
                if levels == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                match self.peek() {
                    b',' => {
                        self.pos += 1;
                        if object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => {
                        return self.fault(if object {
                            "expected `,` or `}`"
                        } else {
                            "expected `,` or `]`"
                        });
                    }
                }
                self.leave();
                objects >>= 1;
                levels -= 1;
            }
        }
    }

    fn skip_key(&mut self) -> Read<()> {
        if self.peek() != b'"' {
            return self.fault("expected a member name");
        }
        self.skip_string()?;
        self.colon()
    }

    fn skip_word(&mut self, word: &'static str) -> Read<()> {
        if !self.bytes()[self.pos..].starts_with(word.as_bytes()) {
            return self.fault("expected a value");
        }
        self.pos += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.bytes().get(self.pos) {
            self.pos += 1;
        }
        if self.pos == start {
            self.fault("expected a digit")
        } else {
            Ok(())
        }
    }

    fn next_is(&mut self, any: &[u8]) -> bool {
        let hit = self.bytes().get(self.pos).is_some_and(|b| any.contains(b));
        self.pos += usize::from(hit);
        hit
    }

    fn skip_number(&mut self) -> Read<()> {
        self.next_is(b"-");
        if !self.next_is(b"0") {
            self.digits()?;
        }
        if self.next_is(b".") {
            self.digits()?;
        }
        if self.next_is(b"eE") {
            self.next_is(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    /// Skips the string at the cursor and says whether it has escapes.
    #[inline(always)]
    fn skip_string(&mut self) -> Read<bool> {
        self.pos = plain_end(self.bytes(), self.pos + 1);
        if self.bytes().get(self.pos) == Some(&b'"') {
            self.pos += 1;
            return Ok(false);
        }
        self.skip_escaped()
    }

    /// The rest of a string from its first escape or fault on.
    #[cold]
    #[inline(never)]
    fn skip_escaped(&mut self) -> Read<bool> {
        let bytes = self.bytes();
        loop {
            match bytes.get(self.pos) {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(true);
                }
                Some(b'\\') => {
                    let wide = match bytes.get(self.pos + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
                        Some(b'u') => 4,
                        Some(_) => return self.fault("unknown escape in a string"),
                        None => {
                            return Err(Fault {
                                at: bytes.len(),
                                why: "the text ends too early",
                            });
                        }
                    };
                    for i in 0..wide {
                        match bytes.get(self.pos + 2 + i) {
                            Some(b) if b.is_ascii_hexdigit() => {}
                            Some(_) => return self.fault("unknown escape in a string"),
                            None => {
                                return Err(Fault {
                                    at: bytes.len(),
                                    why: "the text ends too early",
                                });
                            }
                        }
                    }
                    self.pos += 2 + wide;
                }
                Some(_) => return self.fault("control character in a string"),
                None => return self.fault("the text ends too early"),
            }
            self.pos = plain_end(bytes, self.pos);
        }
    }
}

#[cfg(test)]
mod tests;
