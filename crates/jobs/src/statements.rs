//! Takes a script of several statements apart.

use crate::mistake::Words;

/// The statements between the semicolons of a text; semicolons in strings, names and comments end nothing. Each comes with blanks
/// in the place of what stands before it, so that the lines and columns of mistakes are those of the whole text. What cannot be read
/// (a string that never ends) belongs to the last statement, whose mistake tells of it.
pub fn statements(text: &str) -> Vec<String> {
    let (mut found, mut begin) = (Vec::new(), 0);
    let words = Words::of(text);
    let ends = words.ends_of_statements(text);
    for (end, holds_words) in ends {
        if holds_words {
            found.push(alone(text, begin, end));
        }
        begin = text.len().min(end + 1);
    }
    found
}

/// Whether a text that is being typed is ready to be asked: its last word is a semicolon.
pub fn is_complete(text: &str) -> bool {
    let words = Words::of(text);
    words.is_readable() && words.ends_with_semicolon()
}

fn alone(text: &str, begin: usize, end: usize) -> String {
    let blank = |c: char| if c == '\n' || c == '\r' { c } else { ' ' };
    let before = text[..begin].chars().map(blank);
    before.chain(text[begin..end].chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = statements(text);
        let trimmed: Vec<&str> = found.iter().map(|one| one.trim()).collect();
        assert_eq!(trimmed, expected, "{text}");
        for one in found {
            let at = one.len() - one.trim_start().len();
            let lines = |text: &str| text.matches('\n').count();
            let column = |text: &str| text.rsplit('\n').next().unwrap().chars().count();
            let begin = text.find(one.trim()).unwrap();
            assert_eq!(lines(&one[..at]), lines(&text[..begin]));
            assert_eq!(column(&one[..at]), column(&text[..begin]));
        }
    }

    #[test]
    fn semicolons_end_statements_but_not_within_strings_and_comments() {
        check("SELECT 1", &["SELECT 1"]);
        check(
            "SELECT 1; ;\n -- ; no\n;SELECT 'a;b' AS \"c;d\";",
            &["SELECT 1", "SELECT 'a;b' AS \"c;d\""],
        );
        check(
            "SELECT 'é;'; /* ; */ SELECT 2 -- x",
            &["SELECT 'é;'", "/* ; */ SELECT 2 -- x"],
        );
        check(
            "SELECT 1; SELECT 'open; SELECT 3",
            &["SELECT 1", "SELECT 'open; SELECT 3"],
        );
        check("", &[]);
        check("-- nothing\n;", &[]);
    }

    #[test]
    fn a_text_is_complete_at_its_last_semicolon() {
        assert!(is_complete("SELECT 1;"));
        assert!(is_complete("SELECT 1; -- done"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT 1; SELECT"));
        assert!(!is_complete("SELECT 1 -- ;"));
        assert!(!is_complete("SELECT 1 /* ;"));
    }
}
