//! Writes compact JSON into a string, in camelCase (wire) or PascalCase (AWS CLI) as asked, with commas taken care of.
//!
//! PascalCase raises the first letter of each member name. The members for which that is wrong go through
//! [`Wire::named`], which is given both names; map keys are data and go through [`Wire::data`]. The CLI drops nulls and
//! prints epoch times as ISO text, so both happen here.

use std::fmt::{Display, Write};

use crate::time;

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) out: String,
    /// PascalCase, as `aws guardduty get-findings` prints.
    pub(crate) pascal: bool,
    /// Non-ASCII text as `\uXXXX`, which some producers do.
    pub(crate) ascii: bool,
    /// Zone in which the CLI prints times.
    pub(crate) offset_hours: i64,
}

/// A number that is written as it stands in the text.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl Wire {
    pub(crate) fn new(pascal: bool, offset_hours: i64) -> Self {
        Wire {
            out: String::with_capacity(8 * 1024),
            pascal,
            ascii: false,
            offset_hours,
        }
    }

    fn comma(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
    }

    fn key(&mut self, name: &str) {
        self.comma();
        self.out.push('"');
        match name.as_bytes() {
            [first, ..] if self.pascal => {
                self.out.push(char::from(first.to_ascii_uppercase()));
                self.out.push_str(&name[1..]);
            }
            _ => self.out.push_str(name),
        }
        self.out.push_str("\":");
    }

    /// A member whose two names differ by more than their first letter.
    pub(crate) fn named(&mut self, camel: &str, pascal: &str) -> &mut Self {
        self.comma();
        self.out.push('"');
        self.out.push_str(if self.pascal { pascal } else { camel });
        self.out.push_str("\":");
        self
    }

    /// A key that is data: the same in both cases, escaped.
    pub(crate) fn data(&mut self, key: &str) -> &mut Self {
        self.value(key);
        self.out.push(':');
        self
    }

    /// `{...}` as an item, as the value after [`Wire::named`], or as the document.
    pub(crate) fn object(&mut self, body: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push('{');
        body(self);
        self.out.push('}');
    }

    /// `[...]` as the value after [`Wire::named`] or [`Wire::data`].
    pub(crate) fn list(&mut self, body: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push('[');
        body(self);
        self.out.push(']');
    }

    pub(crate) fn obj(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.key(name);
        self.object(body);
    }

    pub(crate) fn arr(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.key(name);
        self.list(body);
    }

    pub(crate) fn str(&mut self, name: &str, text: &str) {
        self.key(name);
        self.value(text);
    }

    pub(crate) fn strs(&mut self, name: &str, items: &[&str]) {
        self.arr(name, |w| items.iter().for_each(|item| w.value(item)));
    }

    /// Text made of pieces, such as an ARN.
    pub(crate) fn fmt(&mut self, name: &str, text: std::fmt::Arguments<'_>) {
        self.key(name);
        self.value_fmt(text);
    }

    pub(crate) fn num(&mut self, name: &str, number: impl Display) {
        self.key(name);
        let _ = write!(self.out, "{number}");
    }

    pub(crate) fn bool(&mut self, name: &str, truth: bool) {
        self.key(name);
        self.out.push_str(if truth { "true" } else { "false" });
    }

    /// Null on the wire, nothing in the CLI's output.
    pub(crate) fn null(&mut self, name: &str) {
        if !self.pascal {
            self.key(name);
            self.out.push_str("null");
        }
    }

    /// A time that both shapes write as ISO text.
    pub(crate) fn iso(&mut self, name: &str, micros: i64) {
        self.key(name);
        self.out.push('"');
        time::iso_millis(&mut self.out, micros);
        self.out.push('"');
    }

    /// A time that the wire writes as epoch seconds and the CLI as local ISO text.
    pub(crate) fn epoch(&mut self, name: &str, micros: i64) {
        self.key(name);
        self.epoch_value(micros);
    }

    pub(crate) fn epoch_value(&mut self, micros: i64) {
        if self.pascal {
            self.out.push('"');
            time::iso_offset(&mut self.out, micros, self.offset_hours);
            self.out.push('"');
        } else {
            time::epoch(&mut self.out, micros);
        }
    }

    pub(crate) fn value(&mut self, text: &str) {
        self.comma();
        self.out.push('"');
        self.piece(text);
        self.out.push('"');
    }

    /// A number in a list.
    pub(crate) fn item(&mut self, number: impl Display) {
        self.comma();
        let _ = write!(self.out, "{number}");
    }

    /// A number as it stands, after [`Wire::named`].
    pub(crate) fn number(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(crate) fn value_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        self.comma();
        self.out.push('"');
        let _ = Escaped(self).write_fmt(text);
        self.out.push('"');
    }

    /// Text inside an open string, escaped.
    pub(crate) fn piece(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte >= 0x20
                && byte != b'"'
                && byte != b'\\'
                && byte != 0x7f
                && (byte < 0x80 || !self.ascii)
            {
                continue;
            }
            if byte >= 0x80 && !text.is_char_boundary(at) {
                from = at + 1;
                continue;
            }
            self.out.push_str(&text[from.min(at)..at]);
            from = at + 1;
            match byte {
                b'"' => self.out.push_str("\\\""),
                b'\\' => self.out.push_str("\\\\"),
                b'\n' => self.out.push_str("\\n"),
                b'\r' => self.out.push_str("\\r"),
                b'\t' => self.out.push_str("\\t"),
                0x80.. => {
                    let letter = text[at..].chars().next().unwrap_or('?');
                    from = at + letter.len_utf8();
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                _ => {
                    let _ = write!(self.out, "\\u{byte:04x}");
                }
            }
        }
        if from < bytes.len() {
            self.out.push_str(&text[from..]);
        }
    }
}

/// A formatter's target that escapes what passes through.
struct Escaped<'a>(&'a mut Wire);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.piece(text);
        Ok(())
    }
}

impl Display for Raw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip_in_both_encodings() {
        for ascii in [false, true] {
            for text in crate::hostile() {
                let mut wire = Wire::new(false, 0);
                wire.ascii = ascii;
                wire.object(|w| w.str("a", text));
                assert!(!ascii || wire.out.is_ascii());
                let back: serde_json::Value = serde_json::from_str(&wire.out).unwrap();
                assert_eq!(back["a"], *text);
            }
        }
    }

    #[test]
    fn pascal_case_raises_names_and_drops_nulls() {
        let write = |pascal| {
            let mut wire = Wire::new(pascal, -5);
            wire.object(|w| {
                w.null("outpostArn");
                w.named("sourceIPs", "SourceIps").list(|w| w.value("::1"));
                w.obj("tags", |w| w.data("aws:x").value("y"));
                w.epoch("createdAt", 1_639_005_830_000_000);
            });
            wire.out
        };
        assert_eq!(
            write(false),
            r#"{"outpostArn":null,"sourceIPs":["::1"],"tags":{"aws:x":"y"},"createdAt":1.63900583E9}"#
        );
        assert_eq!(
            write(true),
            r#"{"SourceIps":["::1"],"Tags":{"aws:x":"y"},"CreatedAt":"2021-12-08T18:23:50.000000-05:00"}"#
        );
    }
}
