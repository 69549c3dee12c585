//! Messages in Block Kit, inside its limits.
//!
//! Limits: 50 blocks, 150 characters in a header, 3,000 characters in a section, 10 fields of 2,000, and about 13,200 characters in all blocks together (not
//! documented: slackapi/bolt-js issue 2509), of which we use 12,000.

use alerts::{Fact, Label, Phase, Shape, Words};
use serde_json::{Value, json};

const HEADER: usize = 150;
const SECTION: usize = 3_000;
const FIELD: usize = 500;
const FIELDS: usize = 10;
const ALL: usize = 12_000;
/// Of the lines of a group, how many share a section.
const TOGETHER: usize = 5;

/// The whole message: the headline as text, which is what a notification shows, the rest in an attachment, because only these have a bar in
/// a colour.
pub(super) fn of(words: &Words, here: bool) -> Value {
    json!({
        "text": text(words, here),
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{"color": color(words), "blocks": blocks(words)}],
    })
}

/// A report: its title as header, its lines as sections, its facts.
pub(super) fn report(words: &Words) -> Value {
    let mut blocks = Blocks::default();
    blocks.reserve(len(&words.sentence) + HEADER);
    // Names of emoji and entities are read in plain text as well.
    let title = mrkdwn(&words.headline, HEADER);
    blocks.blocks.push(json!({
        "type": "header", "text": {"type": "plain_text", "text": title, "emoji": false},
    }));
    blocks.lines("Summary", words);
    blocks.facts(words);
    json!({
        "text": text(words, false),
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks.done(&[mrkdwn(&words.sentence, FIELD)]),
    })
}

/// What a thread is told: headline and sentence.
pub(super) fn answer(words: &Words, here: bool) -> Value {
    json!({
        "text": format!("{}\n{}", text(words, here), mrkdwn(&words.sentence, SECTION)),
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn text(words: &Words, here: bool) -> String {
    let call = if here { "<!here> " } else { "" };
    format!("{call}*{}*", mrkdwn(&words.headline, SECTION))
}

fn color(words: &Words) -> &'static str {
    match (words.phase, words.level) {
        (Phase::Over, _) => "#1e8e3e",
        (Phase::Taken, _) => "#5f6368",
        (_, Label::Critical) => "#7b0a24",
        (_, Label::High) => "#d93025",
        (_, Label::Medium) => "#e8710a",
        (_, Label::Low) => "#f2c200",
        (_, Label::Informational) => "#1a73e8",
    }
}

fn blocks(words: &Words) -> Vec<Value> {
    let mut blocks = Blocks::default();
    blocks.section("Sentence", mrkdwn(&words.sentence, SECTION));
    blocks.lines("Alerts", words);
    let named = |fact: &&Fact| ["Rule", "Route", "Alert"].contains(&&*fact.name);
    let facts = || words.facts.iter();
    let footer: Vec<String> = facts()
        .filter(named)
        .map(|fact| format!("{} {}", fact.name, mrkdwn(&fact.value, FIELD)))
        .collect();
    blocks.reserve(footer.iter().map(|word| len(word) + 3).sum());
    blocks.fields(facts().filter(|fact| fact.shape == Shape::Short && !named(fact)));
    blocks.facts(words);
    blocks.done(&footer)
}

#[derive(Default)]
struct Blocks {
    blocks: Vec<Value>,
    /// Characters in them.
    used: usize,
    left_out: Vec<String>,
}

impl Blocks {
    fn reserve(&mut self, characters: usize) {
        // And some for the line that says what is missing.
        self.used += characters + 300;
    }

    /// The lines, some to a section.
    fn lines(&mut self, name: &str, words: &Words) {
        for lines in words.lines.chunks(TOGETHER) {
            let lines: Vec<String> = (lines.iter())
                .map(|line| format!("• {}", mrkdwn(line, SECTION / TOGETHER - 3)))
                .collect();
            self.section(name, lines.join("\n"));
        }
        if words.more > 0 {
            self.section(name, format!("and {} more", words.more));
        }
    }

    /// The facts that have sections of their own.
    fn facts(&mut self, words: &Words) {
        for fact in &words.facts {
            match fact.shape {
                Shape::Short => {}
                Shape::Long => {
                    let name = format!("*{}*\n", mrkdwn(&fact.name, 100));
                    let value = mrkdwn(&fact.value, SECTION - len(&name));
                    self.section(&fact.name, format!("{name}{value}"));
                }
                // Whoever wrote the rule or the settings wrote the address, and `Words` lets none through that could end the link.
                Shape::Link => {
                    let link = format!("<{}|{}>", escape(&fact.value), mrkdwn(&fact.name, 100));
                    self.section(&fact.name, link);
                }
                Shape::Sql => {
                    let sql = escape(&fact.value);
                    self.section(&fact.name, format!("*{}*\n```{sql}```", fact.name));
                }
            }
        }
    }

    fn section(&mut self, name: &str, text: String) {
        // Two are for the end.
        let fits = len(&text) <= SECTION && self.used + len(&text) <= ALL && self.blocks.len() < 48;
        if !fits {
            self.left_out.push(name.to_owned());
            return;
        }
        self.used += len(&text);
        // `verbatim`: addresses and names stay text.
        self.blocks.push(json!({
            "type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true},
        }));
    }

    fn fields<'a>(&mut self, facts: impl Iterator<Item = &'a Fact>) {
        let mut fields = Vec::new();
        for fact in facts {
            let name = mrkdwn(&fact.name, 100);
            let text = format!("*{name}*\n{}", mrkdwn(&fact.value, FIELD));
            if fields.len() == FIELDS || self.used + len(&text) > ALL {
                self.left_out.push(fact.name.clone());
                continue;
            }
            self.used += len(&text);
            fields.push(json!({"type": "mrkdwn", "text": text, "verbatim": true}));
        }
        if !fields.is_empty() {
            self.blocks
                .push(json!({"type": "section", "fields": fields}));
        }
    }

    fn done(mut self, footer: &[String]) -> Vec<Value> {
        let context = |text: String| {
            let element = json!({"type": "mrkdwn", "text": text, "verbatim": true});
            json!({"type": "context", "elements": [element]})
        };
        if !self.left_out.is_empty() {
            self.left_out.dedup();
            let names = mrkdwn(&self.left_out.join(", "), 250);
            self.blocks
                .push(context(format!("Left out for want of room: {names}")));
        }
        if !footer.is_empty() {
            self.blocks.push(context(footer.join("  ·  ")));
        }
        self.blocks
    }
}

/// As Slack may count: characters of JavaScript.
fn len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Text that Slack's mrkdwn shows as it is, at most `max` characters long, cut never within an escape.
///
/// `&`, `<` and `>` become entities (no mention, no link, no channel); signs of formatting become others that look alike, since there is no
/// way to escape them: `*`, `~`, the backtick everywhere, `_` at the border of a word, and the colon that would end an emoji's name.
pub(super) fn mrkdwn(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut before = ' ';
    let mut cut = 0;
    let mut rest = text.char_indices().peekable();
    // Where the name after the last colon begins, as long as it could be that of an emoji.
    let mut name: Option<usize> = None;
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, next)| *next);
        let mut buffer = [0; 4];
        let shown: &str = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '*' => "∗",
            '~' => "∼",
            '`' => "ˋ",
            '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => "ˍ",
            ':' if name.is_some_and(|start| is_emoji(&text[start..at])) => "∶",
            c => c.encode_utf8(&mut buffer),
        };
        name = match c {
            ':' => Some(at + 1),
            c if c.is_alphanumeric() || "_+-'".contains(c) => name,
            _ => None,
        };
        used += len(shown);
        if used > max {
            out.truncate(cut);
            out.push('…');
            return out;
        }
        out.push_str(shown);
        if used < max {
            cut = out.len();
        }
        before = c;
    }
    out
}

/// Times and IPv6 addresses have colons too, and must stay what they are.
fn is_emoji(name: &str) -> bool {
    let group = name.len() <= 4 && name.chars().all(|c| c.is_ascii_hexdigit());
    !name.is_empty() && (!group || ["100", "1234"].contains(&name))
}

/// For what must come out exactly: SQL in a code block, an address.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
