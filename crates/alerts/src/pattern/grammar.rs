//! What a pattern may say. Stricter than JSON that happens to work: what EventBridge refuses is refused, and so is what it takes
//! but surely nobody meant.

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Number, Value};

use super::leaf::{Like, Sign, Test, address_of, order};
use super::tree::{Node, Part};
use super::{Case, Field, Pattern, PatternError, PatternMistake};
use crate::clean;
use crate::rule::yaml::did_you_mean;

const OPERATORS: [&str; 9] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exactly",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

/// What `anything-but` may hold besides values.
const NEGATED: [&str; 4] = ["equals-ignore-case", "prefix", "suffix", "wildcard"];

/// Names that event-ruler keeps to itself below `$or` (`Constants.java`), besides the operators.
const RESERVED: [&str; 15] = [
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// How many cases the branches of all `$or` may make together.
const MOST_CASES: usize = 1_000;

pub(super) fn pattern(node: &Node) -> Result<Pattern, PatternError> {
    let mut grammar = Grammar::default();
    let mut cases = vec![Case::new()];
    match &node.part {
        Part::Object(members) => grammar.object(node, members, "", false, &mut cases),
        _ => grammar.note(
            node,
            format!(
                "must be an object such as {{\"source\": [\"aws.guardduty\"]}}, not {}",
                node.name()
            ),
        ),
    }
    if !grammar.mistakes.is_empty() {
        return Err(PatternError {
            mistakes: grammar.mistakes,
        });
    }
    for case in &mut cases {
        case.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(Pattern { cases })
}

#[derive(Default)]
struct Grammar {
    /// Names and `[0]`s from the top to the part that is being judged.
    steps: Vec<String>,
    mistakes: Vec<PatternMistake>,
    /// That there are too many cases is told once.
    too_many: bool,
}

impl Grammar {
    fn note(&mut self, node: &Node, message: impl Into<String>) {
        let mut path = String::new();
        for step in &self.steps {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        let mistake = PatternMistake {
            path,
            place: node.place,
            message: message.into(),
        };
        // The same part is judged once for every case that it is in.
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    fn wrong<T>(&mut self, node: &Node, message: impl Into<String>) -> Option<T> {
        self.note(node, message);
        None
    }

    fn within<T>(&mut self, step: String, judge: impl FnOnce(&mut Self) -> T) -> T {
        self.steps.push(step);
        let judged = judge(self);
        self.steps.pop();
        judged
    }

    /// Adds what an object asks for to every case. `base` is its own path.
    fn object(
        &mut self,
        node: &Node,
        members: &[(String, Node)],
        base: &str,
        below_or: bool,
        cases: &mut Vec<Case>,
    ) {
        if members.is_empty() {
            self.note(node, "is empty; an object names at least one field");
        }
        for (at, (name, value)) in members.iter().enumerate() {
            self.within(step(name), |grammar| {
                if members[..at].iter().any(|(known, _)| known == name) {
                    return grammar.note(value, "is there twice");
                }
                if name == "$or" {
                    return grammar.either(value, base, cases);
                }
                let kept = OPERATORS.contains(&name.as_str()) || RESERVED.contains(&name.as_str());
                if below_or && kept {
                    return grammar.note(
                        value,
                        "is no name that a field below `$or` may have, since it is an operator's",
                    );
                }
                let path = match base {
                    "" => name.clone(),
                    base => format!("{base}.{name}"),
                };
                match &value.part {
                    Part::Object(members) => {
                        grammar.object(value, members, &path, below_or, cases);
                    }
                    Part::Array(items) => grammar.field(value, name, items, path, cases),
                    _ => {
                        let hint = if OPERATORS.contains(&name.as_str()) {
                            format!("an operator goes into brackets: [{{\"{name}\": ...}}]")
                        } else {
                            "values go into brackets: [\"...\"]".to_owned()
                        };
                        grammar.note(
                            value,
                            format!(
                                "must be an array or an object, not {}; {hint}",
                                value.name()
                            ),
                        );
                    }
                }
            });
        }
    }

    fn either(&mut self, node: &Node, base: &str, cases: &mut Vec<Case>) {
        let Part::Array(branches) = &node.part else {
            let name = node.name();
            return self.note(node, format!("must be an array of objects, not {name}"));
        };
        if branches.len() < 2 {
            self.note(node, "needs two objects at least");
        }
        let before = std::mem::take(cases);
        for (at, branch) in branches.iter().enumerate() {
            self.within(format!("[{at}]"), |grammar| match &branch.part {
                Part::Object(members) => {
                    let mut taken = before.clone();
                    grammar.object(branch, members, base, true, &mut taken);
                    cases.append(&mut taken);
                }
                _ => {
                    let name = branch.name();
                    grammar.note(branch, format!("must be an object, not {name}"));
                }
            });
            if cases.len() > MOST_CASES {
                if !std::mem::replace(&mut self.too_many, true) {
                    let why = format!(
                        "makes more than {MOST_CASES} combinations of branches; use fewer `$or`, or lists of values"
                    );
                    self.note(node, why);
                }
                // The pattern is refused; one case is enough to judge the rest by.
                cases.truncate(1);
                break;
            }
        }
        if cases.is_empty() {
            cases.push(Case::new());
        }
    }

    fn field(&mut self, node: &Node, name: &str, items: &[Node], path: String, cases: &mut [Case]) {
        let signs = items.first().and_then(Node::text).and_then(sign).is_some();
        let meant = ["anything-but", "equals-ignore-case"].contains(&name);
        if meant || (name == "numeric" && signs) {
            let hint = format!("an operator goes into brackets: [{{\"{name}\": ...}}]");
            return self.note(node, format!("is no field; {hint}"));
        }
        if items.is_empty() {
            return self.note(node, "is an empty array, which nothing fits");
        }
        let mut tests = Vec::new();
        for (at, item) in items.iter().enumerate() {
            tests.extend(self.within(format!("[{at}]"), |grammar| grammar.test(item)));
        }
        if cases.iter().flatten().any(|known| known.path == path) {
            let why = "is asked about twice; put all that may be into one array";
            return self.note(node, why);
        }
        for case in cases {
            case.push(Field {
                path: path.clone(),
                tests: tests.clone(),
            });
        }
    }

    fn test(&mut self, node: &Node) -> Option<Test> {
        match &node.part {
            Part::Leaf(Value::String(text)) => Some(match address_of(text) {
                Some(address) => Test::Address(address),
                None => Test::Exactly(text.as_str().into()),
            }),
            Part::Leaf(value) => Some(Test::Exactly(value.clone())),
            Part::Object(members) => self.operator(node, members),
            Part::Array(_) | Part::TooDeep => {
                let name = node.name();
                let may = "a text, a number, true, false, null or an operator";
                self.wrong(node, format!("must be {may}, not {name}"))
            }
        }
    }

    fn operator(&mut self, node: &Node, members: &[(String, Node)]) -> Option<Test> {
        let (name, value) = self.only(node, members, &OPERATORS)?;
        self.within(step(name), |grammar| match name {
            "exactly" => Some(Test::Exactly(grammar.text(value)?.into())),
            "prefix" => Some(Test::Like(grammar.end(
                value,
                Like::Prefix,
                Like::PrefixFold,
            )?)),
            "suffix" => Some(Test::Like(grammar.end(
                value,
                Like::Suffix,
                Like::SuffixFold,
            )?)),
            "equals-ignore-case" => Some(Test::Like(Like::Fold(grammar.text(value)?.to_owned()))),
            "wildcard" => Some(Test::Like(grammar.wildcard(value)?)),
            "anything-but" => grammar.anything_but(value),
            "numeric" => grammar.numeric(value),
            "cidr" => grammar.network(value),
            _ => match value.part {
                Part::Leaf(Value::Bool(true)) => Some(Test::Exists),
                Part::Leaf(Value::Bool(false)) => Some(Test::Absent),
                _ => {
                    let name = value.name();
                    grammar.wrong(value, format!("must be true or false, not {name}"))
                }
            },
        })
    }

    /// The one member of an operator's object, whose name is one of `known`.
    fn only<'n>(
        &mut self,
        node: &Node,
        members: &'n [(String, Node)],
        known: &[&'static str],
    ) -> Option<(&'static str, &'n Node)> {
        let there_are = || known.join(", ");
        match members {
            [(name, value)] => match known.iter().find(|known| *known == name) {
                Some(known) => Some((known, value)),
                None => {
                    let hint = did_you_mean(name, known);
                    let shown = clean(name, 60);
                    let why = format!(
                        "`{shown}` is no operator here{hint}; there are {}",
                        there_are()
                    );
                    self.wrong(node, why)
                }
            },
            [] => self.wrong(node, format!("is empty; there are {}", there_are())),
            _ => {
                let why = "has more than one key; every operator has an object of its own, and one of them must hold";
                self.wrong(node, why)
            }
        }
    }

    fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match node.text() {
            Some(text) => Some(text),
            None => self.wrong(node, format!("must be a text, not {}", node.name())),
        }
    }

    /// `"text"` or `{"equals-ignore-case": "text"}`.
    fn end(
        &mut self,
        node: &Node,
        plain: fn(String) -> Like,
        fold: fn(String) -> Like,
    ) -> Option<Like> {
        match &node.part {
            Part::Object(members) => {
                let (name, value) = self.only(node, members, &["equals-ignore-case"])?;
                self.within(step(name), |grammar| {
                    Some(fold(grammar.text(value)?.to_owned()))
                })
            }
            _ => Some(plain(self.text(node)?.to_owned())),
        }
    }

    fn wildcard(&mut self, node: &Node) -> Option<Like> {
        let mut parts = vec![String::new()];
        let mut chars = self.text(node)?.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.peek() == Some(&'*') => {
                    return self.wrong(node, "has two `*` in a row; one fits just as much");
                }
                '*' => parts.push(String::new()),
                '\\' => match chars.next_if(|next| ['*', '\\'].contains(next)) {
                    Some(next) => parts.last_mut()?.push(next),
                    None => {
                        let why = "has a `\\` before something other than `*` and `\\`; in JSON, write `\\\\*` for a star";
                        return self.wrong(node, why);
                    }
                },
                c => parts.last_mut()?.push(c),
            }
        }
        Some(Like::Wildcard(parts))
    }

    fn anything_but(&mut self, node: &Node) -> Option<Test> {
        match &node.part {
            Part::Object(members) => {
                let (name, value) = self.only(node, members, &NEGATED)?;
                let likes = self.within(step(name), |grammar| {
                    grammar.list(value, |grammar, value| match name {
                        "wildcard" => grammar.wildcard(value),
                        _ => {
                            let text = grammar.text(value)?;
                            if text.is_empty() && name != "equals-ignore-case" {
                                let why = "is empty, and so every text would be left out";
                                return grammar.wrong(value, why);
                            }
                            Some(match name {
                                "prefix" => Like::Prefix(text.to_owned()),
                                "suffix" => Like::Suffix(text.to_owned()),
                                _ => Like::Fold(text.to_owned()),
                            })
                        }
                    })
                })?;
                Some(Test::NotLike(likes))
            }
            _ => {
                let values = self.list(node, |grammar, value| match &value.part {
                    Part::Leaf(leaf @ (Value::String(_) | Value::Number(_))) => Some(leaf.clone()),
                    _ => {
                        let why = format!("must be texts or numbers, not {}", value.name());
                        grammar.wrong(value, why)
                    }
                })?;
                let texts = values.iter().filter(|value| value.is_string()).count();
                if texts != 0 && texts != values.len() {
                    let why = "mixes texts and numbers; they are different values, never equal";
                    return self.wrong(node, why);
                }
                Some(Test::NotValues(values))
            }
        }
    }

    /// One thing or a list of them. `None` where one is wrong.
    fn list<T>(
        &mut self,
        node: &Node,
        mut judge: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Part::Array(items) = &node.part else {
            return Some(vec![judge(self, node)?]);
        };
        if items.is_empty() {
            return self.wrong(node, "is an empty array; name what is left out");
        }
        let mut judged = Vec::new();
        for (at, item) in items.iter().enumerate() {
            judged.extend(self.within(format!("[{at}]"), |grammar| judge(grammar, item)));
        }
        (judged.len() == items.len()).then_some(judged)
    }

    fn numeric(&mut self, node: &Node) -> Option<Test> {
        let Part::Array(items) = &node.part else {
            let name = node.name();
            return self.wrong(
                node,
                format!("must be an array such as [\">=\", 7], not {name}"),
            );
        };
        let mut bounds: Vec<(Sign, Number)> = Vec::new();
        for (at, pair) in items.chunks(2).enumerate() {
            let sign = self.within(format!("[{}]", 2 * at), |g| g.sign(&pair[0]));
            let number = match pair.get(1) {
                Some(node) => self.within(format!("[{}]", 2 * at + 1), |g| g.number(node)),
                None => self.wrong(node, "ends in a comparison without a number"),
            };
            bounds.push((sign?, number?));
        }
        let above = |sign: Sign| matches!(sign, Sign::Greater | Sign::AtLeast);
        let below = |sign: Sign| matches!(sign, Sign::Less | Sign::AtMost);
        match &bounds[..] {
            [_] => {}
            [(low, from), (high, to)] if above(*low) && below(*high) => {
                if order(from, to).is_ge() {
                    let why = format!("leaves nothing: {from} is not less than {to}");
                    return self.wrong(node, why);
                }
            }
            [_, _] => {
                let why = "two comparisons are a lower bound and then an upper one: [\">=\", 4, \"<\", 7]";
                return self.wrong(node, why);
            }
            _ => {
                let why = "has one comparison such as [\">=\", 7], or a lower and an upper bound";
                return self.wrong(node, why);
            }
        }
        Some(Test::Number(bounds))
    }

    fn sign(&mut self, node: &Node) -> Option<Sign> {
        match node.text().and_then(sign) {
            Some(sign) => Some(sign),
            None => self.wrong(
                node,
                format!("must be one of =, <, <=, > and >=, not {}", node.name()),
            ),
        }
    }

    fn number(&mut self, node: &Node) -> Option<Number> {
        match &node.part {
            Part::Leaf(Value::Number(number)) => Some(number.clone()),
            _ => self.wrong(node, format!("must be a number, not {}", node.name())),
        }
    }

    fn network(&mut self, node: &Node) -> Option<Test> {
        let text = self.text(node)?;
        let Ok(network) = text.parse::<IpNet>() else {
            let shown = clean(text, 60);
            return self.wrong(node, format!("`{shown}` is no network such as 10.0.0.0/8"));
        };
        if network.prefix_len() == network.max_prefix_len() {
            let why = format!(
                "is one address, which EventBridge does not take; write \"{}\" instead of the operator",
                network.addr()
            );
            return self.wrong(node, why);
        }
        // Addresses are compared as IPv4 where they are IPv4 within IPv6.
        let inner = match network {
            IpNet::V6(wide) if wide.prefix_len() >= 96 => (wide.addr().to_ipv4_mapped())
                .and_then(|address| Ipv4Net::new(address, wide.prefix_len() - 96).ok()),
            _ => None,
        };
        Some(Test::Network(inner.map_or(network, IpNet::V4)))
    }
}

fn sign(text: &str) -> Option<Sign> {
    Some(match text {
        "=" => Sign::Equal,
        "<" => Sign::Less,
        "<=" => Sign::AtMost,
        ">" => Sign::Greater,
        ">=" => Sign::AtLeast,
        _ => return None,
    })
}

/// A name as a step of the path that is told.
fn step(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_$:/@".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("\"{}\"", clean(name, 60))
    }
}
