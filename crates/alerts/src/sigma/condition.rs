//! Conditions over names: `selection and not 1 of filter_*`, for detections and for correlations alike.

use super::Place;
use super::sql::Test;
use super::tree::Notes;
use crate::clean;
use crate::rule::yaml::did_you_mean;

/// A condition over what its names stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Formula<T> {
    Name(T),
    All(Vec<Formula<T>>),
    Any(Vec<Formula<T>>),
    Not(Box<Formula<T>>),
}

impl<T> Formula<T> {
    /// The same with every name replaced.
    pub(super) fn map<U>(self, with: &mut impl FnMut(T) -> U) -> Formula<U> {
        let mut each = |parts: Vec<Formula<T>>| -> Vec<Formula<U>> {
            parts.into_iter().map(|part| part.map(with)).collect()
        };
        match self {
            Formula::All(parts) => Formula::All(each(parts)),
            Formula::Any(parts) => Formula::Any(each(parts)),
            Formula::Not(inner) => Formula::Not(Box::new(inner.map(with))),
            Formula::Name(name) => Formula::Name(with(name)),
        }
    }

    /// Whether `not` occurs anywhere.
    pub(super) fn denies(&self) -> bool {
        match self {
            Formula::Name(_) => false,
            Formula::All(parts) | Formula::Any(parts) => parts.iter().any(Formula::denies),
            Formula::Not(_) => true,
        }
    }

    /// Whether it does nothing but take away: `not a`, `not a and not b`.
    pub(super) fn only_denies(&self) -> bool {
        match self {
            Formula::Name(_) | Formula::Any(_) => false,
            Formula::All(parts) => parts.iter().all(Formula::only_denies),
            Formula::Not(_) => true,
        }
    }

    /// Whether it can be true while none of its names is.
    pub(super) fn holds_of_nothing(&self) -> bool {
        match self {
            Formula::Name(_) => false,
            Formula::All(parts) => parts.iter().all(Formula::holds_of_nothing),
            Formula::Any(parts) => parts.iter().any(Formula::holds_of_nothing),
            Formula::Not(inner) => !inner.holds_of_nothing(),
        }
    }
}

impl Formula<Test> {
    /// As a condition on rows.
    pub(super) fn test(self) -> Test {
        match self {
            Formula::Name(test) => test,
            Formula::All(parts) => Test::All(parts.into_iter().map(Formula::test).collect()),
            Formula::Any(parts) => Test::Any(parts.into_iter().map(Formula::test).collect()),
            Formula::Not(inner) => Test::not(inner.test()),
        }
    }
}

impl Formula<String> {
    /// The names, each once, in the order of their appearance.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.gather(&mut names);
        names
    }

    fn gather(&self, names: &mut Vec<String>) {
        match self {
            Formula::Name(name) if names.contains(name) => {}
            Formula::Name(name) => names.push(name.clone()),
            Formula::All(parts) | Formula::Any(parts) => {
                parts.iter().for_each(|part| part.gather(names));
            }
            Formula::Not(inner) => inner.gather(names),
        }
    }

    /// In words, as a rule's `condition` has it.
    pub(super) fn words(&self) -> String {
        let join = |parts: &[Formula<String>], word: &str| {
            let parts = parts.iter().map(|part| match part {
                Formula::All(inner) | Formula::Any(inner) if inner.len() > 1 => {
                    format!("({})", part.words())
                }
                part => part.words(),
            });
            parts.collect::<Vec<_>>().join(word)
        };
        match self {
            Formula::Name(name) => name.clone(),
            Formula::All(parts) => join(parts, " and "),
            Formula::Any(parts) => join(parts, " or "),
            Formula::Not(inner) => match &**inner {
                Formula::Name(name) => format!("not {name}"),
                inner => format!("not ({})", inner.words()),
            },
        }
    }
}

/// Parentheses and `not`s deeper than this are refused, as is a condition that comes to more than so many names.
const DEEPEST: usize = 50;
const LONGEST: usize = 10_000;

/// Reads a condition over `names`. `1 of` and `all of` are written out.
pub(super) fn read(
    notes: &mut Notes<'_>,
    at: Place,
    text: &str,
    names: &[&str],
) -> Option<Formula<String>> {
    let mut reader = Reader {
        words: words(text),
        next: 0,
        names,
        length: text.chars().count(),
        used: 0,
        wrong: None,
    };
    let formula = reader.any(0);
    if formula.is_some() && reader.wrong.is_none() && reader.next < reader.words.len() {
        let word = reader.words[reader.next].1.clone();
        reader.fail::<()>(match word.as_str() {
            "|" => "`|` aggregates no more; write a correlation document".to_owned(),
            ")" => "`)` closes nothing".to_owned(),
            word => format!("`{}` must follow `and` or `or`", clean(word, 40)),
        });
    }
    match reader.wrong {
        None => formula,
        Some((character, message)) => {
            let at = notes.within(at, text, character);
            notes.mistake(at, format!("condition: {message}"))
        }
    }
}

/// Words, parentheses and bars, with the character each begins at.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            open = false;
        } else if ['(', ')', '|'].contains(&c) {
            words.push((at, c.to_string()));
            open = false;
        } else if let Some((_, word)) = words.last_mut().filter(|_| open) {
            word.push(c);
        } else {
            words.push((at, c.to_string()));
            open = true;
        }
    }
    words
}

struct Reader<'a> {
    words: Vec<(usize, String)>,
    next: usize,
    names: &'a [&'a str],
    length: usize,
    used: usize,
    wrong: Option<(usize, String)>,
}

impl Reader<'_> {
    fn fail<T>(&mut self, message: String) -> Option<T> {
        let at = self.words.get(self.next).map_or(self.length, |(at, _)| *at);
        self.wrong.get_or_insert((at, message));
        None
    }

    fn take(&mut self, word: &str) -> bool {
        let found = (self.words.get(self.next)).is_some_and(|(_, w)| w.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Option<Formula<String>> {
        let mut parts = vec![self.all(depth)?];
        while self.take("or") {
            parts.push(self.all(depth)?);
        }
        Some(match parts.len() {
            1 => parts.remove(0),
            _ => Formula::Any(parts),
        })
    }

    fn all(&mut self, depth: usize) -> Option<Formula<String>> {
        let mut parts = vec![self.one(depth)?];
        while self.take("and") {
            parts.push(self.one(depth)?);
        }
        Some(match parts.len() {
            1 => parts.remove(0),
            _ => Formula::All(parts),
        })
    }

    fn one(&mut self, depth: usize) -> Option<Formula<String>> {
        if depth > DEEPEST {
            return self.fail("is nested too deeply".to_owned());
        }
        if self.take("not") {
            return Some(Formula::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            if !self.take(")") {
                return self.fail("a `)` is missing".to_owned());
            }
            return Some(inner);
        }
        let Some((_, word)) = self.words.get(self.next).cloned() else {
            return self.fail("a name is missing at the end".to_owned());
        };
        let follows = self.words.get(self.next + 1).map(|(_, word)| word.as_str());
        if follows.is_some_and(|next| next.eq_ignore_ascii_case("of")) {
            return self.some_of(&word.to_lowercase());
        }
        if let Some(name) = self.names.iter().find(|name| **name == word) {
            self.next += 1;
            self.used += 1;
            return Some(Formula::Name((*name).to_owned()));
        }
        if ["and", "or", ")", "|"].contains(&word.to_lowercase().as_str()) {
            return self.fail(format!("a name is missing before `{word}`"));
        }
        let hint = did_you_mean(&word, self.names);
        self.fail(format!("there is no `{}`{hint}", clean(&word, 60)))
    }

    /// `1 of x*`, `all of them`.
    fn some_of(&mut self, how_many: &str) -> Option<Formula<String>> {
        if !["1", "any", "all"].contains(&how_many) {
            return self.fail(format!(
                "`{} of` is not honoured; there are `1 of` and `all of`",
                clean(how_many, 20)
            ));
        }
        self.next += 2;
        let Some((_, pattern)) = self.words.get(self.next).cloned() else {
            return self.fail("`of` what? `them`, or a pattern such as `selection*`".to_owned());
        };
        let them = pattern.eq_ignore_ascii_case("them");
        let fits = |name: &str| match them {
            true => !name.starts_with('_'),
            false => matches(pattern.as_bytes(), name.as_bytes()),
        };
        let named: Vec<Formula<String>> = (self.names.iter().filter(|name| fits(name)))
            .map(|name| Formula::Name((*name).to_owned()))
            .collect();
        self.used += named.len();
        if named.is_empty() {
            let pattern = clean(&pattern, 60);
            return self.fail(format!("`{pattern}` fits no name"));
        }
        if self.used > LONGEST {
            return self.fail("is too long".to_owned());
        }
        self.next += 1;
        Some(match how_many {
            _ if named.len() == 1 => named.into_iter().next()?,
            "all" => Formula::All(named),
            _ => Formula::Any(named),
        })
    }
}

/// Whether a name is what a pattern with `*` says.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && pattern[p] == name[n] {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, from)) = star {
            (p, n, star) = (at + 1, from + 1, Some((at, from + 1)));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}
