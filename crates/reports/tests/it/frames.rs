//! Frames of users' own, and the words of sections.

use std::collections::BTreeMap;

use reports::{Format, Frame, Report, render};

use crate::made::{answers, body, period, report};

fn framed(source: &str, others: &[(&str, &str)]) -> Result<String, String> {
    let report = report();
    let others = others
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let frame = Frame {
        file: "everything.html.j2".to_owned(),
        source: source.to_owned(),
        others: others.collect::<BTreeMap<_, _>>(),
    };
    let answers = answers(&report, |text| format!("<b>{text}</b>"));
    let made = render(
        &report,
        &period(&report),
        &answers,
        Format::Html,
        Some(&frame),
    );
    made.map(|made| body(&made[0]).to_owned())
        .map_err(|error| error.to_string())
}

#[test]
fn sections_are_values() {
    let source = "{% for s in sections %}{{ s.kind }} {{ s.id }}: {{ s.title }}\n{% endfor %}{{ sections[6].rows[0][1] }} {{ sections[6].columns[1] }} {{ answers.per_account.rows[0].account_name }} {{ parameters.ou }} {{ period.name }}";
    let seen = framed(source, &[]).unwrap();
    let expected = "text s1: In words\nfigures s2: None\nquestion s3: By severity\nquestion s4: By account and day\nquestion s5: Lines\nquestion s6: Courses\nquestion s7: &lt;b&gt;Per account&lt;&#x2f;b&gt;\nquestion s8: Nothing\nquestion s9: Broken\n&lt;b&gt;payments&lt;&#x2f;b&gt; Name &lt;b&gt;payments&lt;&#x2f;b&gt; &lt;b&gt;&#x2f;prod&lt;&#x2f;b&gt; 2026-W43";
    assert_eq!(seen, expected);
    let page = framed("{{ sections[2].html }}", &[]).unwrap();
    assert!(page.starts_with("<figure"), "{page}");
}

#[test]
fn a_frame_includes_what_lies_beside_it_and_nothing_else() {
    let others = [("head.html.j2", "<h1>{{ heading }}</h1>")];
    assert_eq!(
        framed("{% include 'head.html.j2' %}", &others).unwrap(),
        "<h1>Everything</h1>"
    );
    for path in ["/etc/passwd", "../head.html.j2", "none.html.j2"] {
        let error = framed(&format!("a\n{{% include '{path}' %}}"), &others).unwrap_err();
        assert!(
            error.starts_with("everything.html.j2: line 2: template not found"),
            "{error}"
        );
    }
}

#[test]
fn mistakes_name_their_line() {
    let check = |source: &str, expected: &str| {
        let error = framed(source, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check(
        "a\nb\n{{ heding }}",
        "everything.html.j2: line 3: undefined value",
    );
    check(
        "\n{{ period.nam }}",
        "everything.html.j2: line 2: undefined value",
    );
    check("{% if %}", "everything.html.j2: line 1: syntax error");
    check(
        "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}",
        "everything.html.j2: line 1: engine ran out of fuel",
    );
    check(
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "everything.html.j2: ",
    );
}

#[test]
fn words_of_a_section_name_their_line() {
    let file =
        "title: t\nperiod: day\nsections:\n  - text: |\n      a\n      {{ answers.none.rows }}\n";
    let report = Report::parse("r", "r.yaml", file).unwrap();
    let period = report.period("2026-10-21").unwrap();
    let error = render(&report, &period, &Default::default(), Format::Json, None).unwrap_err();
    let expected = "r.yaml: the text that begins at line 5: line 2: undefined value";
    assert!(error.to_string().starts_with(expected), "{error}");
}
