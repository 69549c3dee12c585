//! Finding text made dull: what it says can be read, and nothing in it can be clicked or calls anybody.

use crate::clean;

/// [`clean`] text (at most `max` characters before what follows) in which no address is a link and no name a mention.
///
/// Mail programs, chats and web pages make links of what looks like an address, without being asked, and some call people by
/// `@name`. So, as the trade writes indicators: `https://evil.example/x` is `hxxps[:]//evil[.]example/x`, `evil.example` is
/// `evil[.]example`, `@here` is `[at]here`. Addresses of hosts in figures, such as `203.0.113.9`, stay as they are: alone they
/// become no link, and people paste them.
pub fn tame(text: &str, max: usize) -> String {
    let text = clean(text, max);
    let mut out = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match c {
            // What IDNA reads as dots: ideographic, fullwidth and halfwidth.
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => out.push_str("[.]"),
            '.' if before.is_some_and(in_name) && next.is_some_and(starts_name) => {
                out.push_str("[.]");
            }
            ':' if text[at..].starts_with("://") => {
                defang_scheme(&mut out);
                out.push_str("[:]");
            }
            // Outlook makes a link of `\\server\share`, which tells that server who clicks.
            '\\' if next == Some('\\') && before != Some('\\') => {
                rest.next();
                out.push_str("[\\\\]");
            }
            '@' if !before.is_some_and(in_name) && next.is_some_and(|c| !c.is_whitespace()) => {
                out.push_str("[at]");
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Inside a host's name a figure may follow a dot as well, but then a letter comes after a later one.
fn starts_name(c: char) -> bool {
    c.is_alphabetic()
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || "-_".contains(c)
}

/// `http` and `https` at the end become `hxxp` and `hxxps`.
fn defang_scheme(out: &mut String) {
    let start = out.len()
        - out
            .bytes()
            .rev()
            .take_while(u8::is_ascii_alphabetic)
            .count();
    let scheme = out[start..].to_ascii_lowercase();
    let dull = match scheme.as_str() {
        "http" => "hxxp",
        "https" => "hxxps",
        _ => return,
    };
    out.truncate(start);
    out.push_str(dull);
}

#[cfg(test)]
mod tests {
    use super::tame;

    #[track_caller]
    fn check(text: &str, dull: &str) {
        assert_eq!(tame(text, 200), dull);
    }

    #[test]
    fn addresses_and_mentions() {
        check("203.0.113.9", "203.0.113.9");
        check("2001:db8::1", "2001:db8::1");
        check("evil.example", "evil[.]example");
        check("a.b-c.co.uk", "a[.]b-c[.]co[.]uk");
        check("1.2.3.4.example", "1.2.3.4[.]example");
        check("x.1and1.com", "x.1and1[.]com");
        check(
            "https://evil.example/x?y=1.5",
            "hxxps[:]//evil[.]example/x?y=1.5",
        );
        check("HTTP://EVIL", "hxxp[:]//EVIL");
        check("ftp://x slack://y", "ftp[:]//x slack[:]//y");
        check(
            "evil。example evil．example",
            "evil[.]example evil[.]example",
        );
        check("bücher.example", "bücher[.]example");
        check(
            "@here @channel (@everyone)",
            "[at]here [at]channel ([at]everyone)",
        );
        check("ann@corp.example", "ann@corp[.]example");
        check(
            "It ended. Then it began... 1.5 times",
            "It ended. Then it began... 1.5 times",
        );
        check(r"\\evil\share C:\temp", r"[\\]evil\share C:\temp");
        check("line\nbreak \u{202e}", "line\\nbreak \\u{202e}");
    }
}
