//! Shapes as SVG text. The same shapes are painted with classes for a page, whose style sheet knows themes, and with fixed
//! colours for pixels.

use std::fmt::Write;

use super::Ink;

/// How colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// `class="..."`, see [`STYLE`].
    Classes,
    /// Colours on white.
    Fixed,
}

/// The colours of both themes, for the page that holds the pictures.
pub(crate) const STYLE: &str = include_str!("chart.css");

/// Text in HTML or SVG, also within quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Neither HTML nor XML has a way to write these.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// How a text stands at its point.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows. Lengths are pixels of a page.
pub(crate) struct Svg {
    body: String,
    paint: Paint,
    width: f64,
    pub(crate) height: f64,
}

impl Svg {
    pub(crate) fn new(paint: Paint, width: f64, height: f64) -> Svg {
        Svg {
            body: String::new(),
            paint,
            width,
            height,
        }
    }

    /// The whole picture; `id` must be unique in its page.
    pub(crate) fn finish(self, id: &str, title: &str, words: &str) -> String {
        let (width, height) = (short(self.width), short(self.height));
        let (title, words) = (escape(title), escape(words));
        let body = self.body;
        let open =
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\"");
        match self.paint {
            Paint::Classes => format!(
                "{open} role=\"img\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{words}</desc>{body}</svg>"
            ),
            Paint::Fixed => format!(
                "{open} width=\"{width}\" height=\"{height}\" font-family=\"Noto Sans\"><rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>{body}</svg>"
            ),
        }
    }

    fn fill(&self, ink: Ink) -> String {
        match self.paint {
            Paint::Classes => format!("class=\"{}\"", ink.class()),
            Paint::Fixed => format!("fill=\"{}\"", ink.colour()),
        }
    }

    pub(crate) fn rect(&mut self, ink: Ink, x: f64, y: f64, width: f64, height: f64) {
        let fill = self.fill(ink);
        let (x, y, width, height) = (short(x), short(y), short(width), short(height));
        let _ = write!(
            self.body,
            "<rect {fill} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }

    /// Many cells of a strength from 0 to 4 as the strokes of one path: a fifth of what as many elements would take.
    pub(crate) fn cells(
        &mut self,
        strength: usize,
        corners: &[(f64, f64)],
        width: f64,
        height: f64,
    ) {
        const ON_WHITE: [&str; 5] = ["#eef1f4", "#c9dcf0", "#8fb8e0", "#4a86c5", "#1b4f91"];
        let stroke = match self.paint {
            Paint::Classes => format!("class=\"h{strength}\""),
            Paint::Fixed => format!("stroke=\"{}\"", ON_WHITE[strength.min(4)]),
        };
        let (width, thick) = (short(width), short(height));
        let _ = write!(self.body, "<path {stroke} stroke-width=\"{thick}\" d=\"");
        for (x, y) in corners {
            let middle = y + height / 2.0;
            let _ = write!(self.body, "M{} {}h{width}", short(*x), short(middle));
        }
        self.body.push_str("\"/>");
    }

    pub(crate) fn line(&mut self, ink: Ink, points: &[(f64, f64)]) {
        let stroke = match self.paint {
            Paint::Classes => format!("class=\"l {}\"", ink.class()),
            Paint::Fixed => format!(
                "fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke=\"{}\"",
                ink.colour()
            ),
        };
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{},{}", short(*x), short(*y)))
            .collect();
        let _ = write!(
            self.body,
            "<polyline {stroke} points=\"{}\"/>",
            points.join(" ")
        );
    }

    pub(crate) fn dot(&mut self, ink: Ink, x: f64, y: f64, radius: f64) {
        let fill = self.fill(ink);
        let _ = write!(
            self.body,
            "<circle {fill} cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            short(x),
            short(y),
            short(radius)
        );
    }

    /// A thin rule; `strong` for the axis.
    pub(crate) fn rule(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, strong: bool) {
        let look = match (self.paint, strong) {
            (Paint::Classes, true) => "class=\"a\"",
            (Paint::Classes, false) => "class=\"g\"",
            (Paint::Fixed, true) => "stroke=\"#8a94a0\"",
            (Paint::Fixed, false) => "stroke=\"#e3e7ec\"",
        };
        let _ = write!(
            self.body,
            "<line {look} x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            short(x1),
            short(y1),
            short(x2),
            short(y2)
        );
    }

    /// Text as it is meant, not escaped yet. `strong` for what is read first.
    pub(crate) fn text(&mut self, anchor: Anchor, strong: bool, x: f64, y: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let look = match (self.paint, strong) {
            (Paint::Classes, true) => " class=\"s\"",
            (Paint::Classes, false) => "",
            (Paint::Fixed, true) => " font-size=\"12\" fill=\"#1c2430\"",
            (Paint::Fixed, false) => " font-size=\"11\" fill=\"#5a6572\"",
        };
        let (x, y, text) = (short(x), short(y), escape(text));
        let _ = write!(
            self.body,
            "<text{look}{anchor} x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    }

    /// Shapes drawn by `inside` share a text that pops up.
    pub(crate) fn group(&mut self, text: &str, inside: impl FnOnce(&mut Svg)) {
        if self.paint == Paint::Fixed {
            return inside(self);
        }
        let _ = write!(self.body, "<g><title>{}</title>", escape(text));
        inside(self);
        self.body.push_str("</g>");
    }
}

/// A length with one digit after the point, or none.
pub(crate) fn short(length: f64) -> String {
    let text = format!("{length:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// How wide a text is at 11 pixels, about.
pub(crate) fn width(text: &str) -> f64 {
    let one = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ':' | ',' | '/' | '!' | ' ' | '(' | ')' => {
            4.2
        }
        'm' | 'w' | 'M' | 'W' => 10.0,
        'A'..='Z' | '&' => 7.8,
        c if c.is_ascii() => 6.8,
        _ => 11.0,
    };
    text.chars().map(one).sum()
}
