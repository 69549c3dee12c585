//! Results as JUnit XML, which build servers read. The form is the common core of what Jenkins, GitLab and GitHub actions take:
//! `testsuites`, `testsuite`, `testcase`, `failure`.

use std::fmt::Write as _;
use std::time::Duration;

/// The tests of one file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The id of the rule.
    pub name: String,
    /// The file.
    pub file: String,
    /// Its tests.
    pub cases: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Line of the file.
    pub line: usize,
    /// How long it took.
    pub took: Duration,
    /// What was other than expected; nothing where it passed.
    pub failures: Vec<String>,
}

/// The XML of all suites.
pub fn junit(suites: &[Suite]) -> String {
    let failed = |cases: &[Case]| {
        cases
            .iter()
            .filter(|case| !case.failures.is_empty())
            .count()
    };
    let time = |cases: &[Case]| {
        cases
            .iter()
            .map(|case| case.took)
            .sum::<Duration>()
            .as_secs_f64()
    };
    let all: Vec<Case> = suites
        .iter()
        .flat_map(|suite| suite.cases.clone())
        .collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"guardlake rule test\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\">",
        all.len(),
        failed(&all),
        time(&all)
    );
    for suite in suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\">",
            escaped(&suite.name),
            suite.cases.len(),
            failed(&suite.cases),
            time(&suite.cases)
        );
        for case in &suite.cases {
            let _ = write!(
                xml,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3}\"",
                escaped(&suite.name),
                escaped(&case.name),
                escaped(&suite.file),
                case.line,
                case.took.as_secs_f64()
            );
            match case.failures.first() {
                None => xml.push_str("/>\n"),
                Some(first) => {
                    let _ = writeln!(
                        xml,
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        escaped(first),
                        escaped(&case.failures.join("\n"))
                    );
                }
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text for an attribute or an element; what XML 1.0 has no way to write becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(xml, "&#{};", c as u32);
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(c),
        }
    }
    xml
}
