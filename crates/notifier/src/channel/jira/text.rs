//! Descriptions and comments: documents (ADF) for Cloud, text without markup for Data Center.

use alerts::{Fact, Shape, Words, prose};
use serde_json::{Value, json};

use super::Product;
use crate::document::line;

/// Jira takes 32,767 characters; of a document nobody says whether its braces count.
const MOST: usize = 30_000;

pub(super) fn description(product: Product, words: &Words) -> Value {
    match product {
        Product::Cloud => document(words),
        Product::DataCenter => {
            let links: Vec<String> = (words.facts.iter())
                .filter(|fact| fact.shape == Shape::Link)
                .map(|fact| format!("{}: {}", fact.name, fact.value))
                .collect();
            json!(format!("{}\n{}", preformatted(&prose(words)), links.join("\n")).trim_end())
        }
    }
}

/// Headline, sentence, and what an earlier attempt is told by.
pub(super) fn comment(product: Product, words: &Words, mark: &str) -> Value {
    match product {
        Product::Cloud => wrap(vec![
            paragraph(vec![bold(&words.headline)]),
            paragraph(vec![plain(&words.sentence)]),
            paragraph(vec![plain(mark)]),
        ]),
        Product::DataCenter => {
            let text = format!("{}\n\n{}\n\n{mark}", words.headline, words.sentence);
            json!(preformatted(&text))
        }
    }
}

/// Text between `{noformat}`, where wiki markup means nothing. What would end it, or call somebody, is taken apart.
fn preformatted(text: &str) -> String {
    let mut text: String = text
        .replace('{', "(")
        .replace('}', ")")
        .replace("[~", "[ ~");
    if let Some((at, _)) = text.char_indices().nth(MOST) {
        text.truncate(at);
        text.push('…');
    }
    format!("{{noformat}}\n{}\n{{noformat}}", text.trim_end())
}

/// What matters least is left out if there is too much.
fn document(words: &Words) -> Value {
    let mut content = vec![paragraph(vec![plain(&words.sentence)])];
    let mut used = line(&content[0]).len();
    let mut left_out = Vec::new();
    for fact in &words.facts {
        let block = block(fact);
        let len = line(&block).len();
        if used + len > MOST {
            left_out.push(&*fact.name);
            continue;
        }
        used += len;
        content.push(block);
    }
    if !left_out.is_empty() {
        let names = format!("Left out for want of room: {}", left_out.join(", "));
        content.push(paragraph(vec![plain(&alerts::clean(&names, 500))]));
    }
    wrap(content)
}

/// Text in nodes: Jira reads no markup, no mention and no address in it.
fn block(fact: &Fact) -> Value {
    let name = bold(&format!("{}: ", fact.name));
    match fact.shape {
        Shape::Sql => json!({
            "type": "codeBlock", "attrs": {"language": "sql"}, "content": [plain(&fact.value)],
        }),
        Shape::Link => {
            let mut link = plain(&fact.value);
            link["marks"] = json!([{"type": "link", "attrs": {"href": fact.value}}]);
            paragraph(vec![name, link])
        }
        Shape::Short | Shape::Long => paragraph(vec![name, plain(&fact.value)]),
    }
}

fn wrap(content: Vec<Value>) -> Value {
    json!({"version": 1, "type": "doc", "content": content})
}

fn paragraph(content: Vec<Value>) -> Value {
    json!({"type": "paragraph", "content": content})
}

fn bold(text: &str) -> Value {
    json!({"type": "text", "text": text, "marks": [{"type": "strong"}]})
}

fn plain(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
