//! Which steps must be there: `recon and (access or not known)`.

/// A condition over the steps of a sequence, by their places in `steps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// This step is there.
    Step(usize),
    /// None of this is there.
    Not(Box<Condition>),
    /// All are there. Never empty.
    And(Vec<Condition>),
    /// One at least is there. Never empty.
    Or(Vec<Condition>),
}

/// How deep brackets and `not` may nest.
const DEEPEST: usize = 32;

impl Condition {
    /// Reads a condition: names, `and`, `or`, `not` and brackets; `not` binds strongest, `or` weakest. The error is a clause that
    /// can follow `condition: `.
    pub fn parse(text: &str, steps: &[&str]) -> Result<Condition, String> {
        let mut reader = Reader {
            words: words(text),
            at: 0,
            steps,
        };
        let condition = reader.either(0)?;
        match reader.words.get(reader.at) {
            Some(word) => Err(format!("`{}` is one too many", crate::clean(word, 40))),
            None if condition.holds(&|_| false) => {
                Err("would hold while nothing happens; it needs a step without `not`".to_owned())
            }
            None => Ok(condition),
        }
    }

    /// Whether it holds where `there` says of each step whether it is there.
    pub fn holds(&self, there: &impl Fn(usize) -> bool) -> bool {
        match self {
            Condition::Step(step) => there(*step),
            Condition::Not(inner) => !inner.holds(there),
            Condition::And(all) => all.iter().all(|one| one.holds(there)),
            Condition::Or(any) => any.iter().any(|one| one.holds(there)),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    words: Vec<String>,
    at: usize,
    steps: &'a [&'a str],
}

impl Reader<'_> {
    fn took(&mut self, wanted: &str) -> bool {
        let here = self
            .words
            .get(self.at)
            .is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(here);
        here
    }

    fn either(&mut self, depth: usize) -> Result<Condition, String> {
        let mut any = vec![self.both(depth)?];
        while self.took("or") {
            any.push(self.both(depth)?);
        }
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Condition::Or(any)
        })
    }

    fn both(&mut self, depth: usize) -> Result<Condition, String> {
        let mut all = vec![self.one(depth)?];
        while self.took("and") {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Condition::And(all)
        })
    }

    fn one(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > DEEPEST {
            return Err(format!("nests deeper than {DEEPEST}"));
        }
        if self.took("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.took("(") {
            let inner = self.either(depth + 1)?;
            return match self.took(")") {
                true => Ok(inner),
                false => Err("a bracket is never closed".to_owned()),
            };
        }
        let Some(word) = self.words.get(self.at) else {
            return Err("ends where a step is expected".to_owned());
        };
        match self.steps.iter().position(|step| step == word) {
            Some(step) => {
                self.at += 1;
                Ok(Condition::Step(step))
            }
            None => {
                let hint = super::yaml::did_you_mean(word, self.steps);
                Err(format!(
                    "there is no step `{}`{hint}",
                    crate::clean(word, 40)
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;

    #[track_caller]
    fn check(text: &str, there: &[usize], expected: bool) {
        let condition = Condition::parse(text, &["a", "b", "c"]).unwrap();
        assert_eq!(
            condition.holds(&|step| there.contains(&step)),
            expected,
            "{text} with {there:?}"
        );
    }

    #[test]
    fn what_binds_how() {
        check("a and b or c", &[2], true);
        check("a and (b or c)", &[2], false);
        check("a and (b or c)", &[0, 2], true);
        check("a and not b", &[0], true);
        check("a AND NOT b", &[0, 1], false);
        check("a and not (b and c)", &[0, 1], true);
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("not a", "while nothing happens"),
            ("a or not b", "while nothing happens"),
            ("a and", "ends where"),
            ("(a", "never closed"),
            ("a b", "one too many"),
            ("a and d", "no step `d`"),
            ("", "ends where"),
            (&"(".repeat(100), "deeper"),
        ] {
            let error = Condition::parse(text, &["a", "b", "c"]).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
