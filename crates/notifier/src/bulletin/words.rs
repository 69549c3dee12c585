//! What is said of a report: the words that all channels share, from texts that are hostile.

use alerts::{Fact, Label, Phase, Shape, Words, clean, rfc3339, tame};
use url::Url;

use super::Bulletin;

/// Lines of the summary that are told, and characters of each.
const LINES: usize = 20;
const LINE: usize = 300;
/// Characters of a title, and of a name.
const TITLE: usize = 200;
const NAME: usize = 120;
/// Documents that are named.
const DOCUMENTS: usize = 20;
/// Characters of a place.
const PLACE: usize = 500;
/// Endings of files that are no domains of the internet: `.md` and `.zip` are, and mail programs make links of such names.
const ENDINGS: [&str; 6] = ["html", "csv", "json", "txt", "png", "pdf"];

/// The words of a report: its title as headline, its summary as lines, its documents and where they lie as facts.
pub(crate) fn words(bulletin: &Bulletin) -> Words {
    let name = tame(&bulletin.report, NAME);
    let period = tame(&bulletin.period, NAME);
    let mut title = tame(bulletin.title.trim(), TITLE).trim().to_owned();
    // What makes it dull makes it longer, and subjects are for one look.
    title = clean(&title, TITLE).into_owned();
    if title.is_empty() {
        title = format!("Report {name} {period}").trim().to_owned();
    }
    if title.starts_with(['=', '+', '-', '@']) {
        // Subjects get exported to spreadsheets.
        title.insert(0, '\'');
    }
    let summary = bulletin.summary.iter();
    Words {
        level: Label::Informational,
        phase: Phase::Firing,
        headline: title,
        sentence: format!(
            "Report {name} of {period}, made {}.",
            rfc3339(bulletin.made_at)
        ),
        facts: facts(bulletin),
        lines: summary.take(LINES).map(|line| tame(line, LINE)).collect(),
        more: bulletin.summary.len().saturating_sub(LINES),
    }
}

fn facts(bulletin: &Bulletin) -> Vec<Fact> {
    let fact = |name: &str, value: String, shape| Fact {
        name: name.to_owned(),
        value,
        shape,
    };
    let mut facts = Vec::new();
    if !bulletin.location.is_empty() {
        facts.push(fact("Lies in", place(&bulletin.location), Shape::Long));
    }
    let documents = bulletin.documents.iter().take(DOCUMENTS);
    let mut names: Vec<String> = documents.map(|name| file(name)).collect();
    let more = bulletin.documents.len().saturating_sub(DOCUMENTS);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    if !names.is_empty() {
        facts.push(fact("Documents", names.join(", "), Shape::Long));
    }
    if let Some(link) = link(&bulletin.location) {
        facts.push(fact("Open the report", link, Shape::Link));
    }
    facts
}

/// The text for those to whom HTML is not shown: line for line, without anything that could be clicked.
pub(crate) fn plain(bulletin: &Bulletin) -> String {
    let lines = bulletin.plain.lines();
    let lines: Vec<String> = lines
        .map(|line| tame(&line.replace('\t', "    "), usize::MAX))
        .collect();
    lines.join("\n")
}

/// Where the documents lie, without user and password of an address.
pub(crate) fn bare(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.to_owned();
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => location.to_owned(),
    }
}

/// As text. An address of S3 is what people paste, and stays as it is where nothing in it could be taken for a name of a host.
fn place(location: &str) -> String {
    let bare = bare(location);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_=-".contains(c);
    let is_s3 = bare
        .strip_prefix("s3://")
        .is_some_and(|rest| rest.len() <= PLACE && !rest.contains("//") && rest.chars().all(plain));
    match is_s3 {
        true => bare,
        false => tame(&bare, PLACE),
    }
}

/// A location that can be opened: `https://`, of signs that end no link at any receiver, without a password.
fn link(location: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/:.-_~%=&?#+,".contains(c);
    let url = Url::parse(location).ok()?;
    let open = url.scheme() == "https"
        && url.host_str().is_some()
        && url.username().is_empty()
        && url.password().is_none();
    (open
        && location.starts_with("https://")
        && location.len() <= 2_000
        && location.chars().all(fits))
    .then(|| location.to_owned())
}

/// A document's name. `weekly.html` is no host and stays readable; whatever else has a dot is made dull.
fn file(name: &str) -> String {
    let plain = |stem: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        !stem.is_empty() && stem.len() <= NAME && stem.chars().all(fits)
    };
    match name.split_once('.') {
        Some((stem, end)) if plain(stem) && ENDINGS.contains(&end) => name.to_owned(),
        _ => tame(name, NAME),
    }
}

/// The words in lines, for a terminal.
pub(crate) fn lines(bulletin: &Bulletin) -> String {
    let words = words(bulletin);
    let mut out = format!("{}\n", words.headline);
    for line in &words.lines {
        out.push_str(&format!("  {line}\n"));
    }
    if words.more > 0 {
        out.push_str(&format!("  and {} more\n", words.more));
    }
    for fact in words.facts.iter().filter(|fact| fact.shape == Shape::Long) {
        out.push_str(&format!("  {}: {}\n", fact.name, fact.value));
    }
    debug_assert!(out.lines().all(|line| clean(line, usize::MAX) == line));
    out
}

#[cfg(test)]
mod tests {
    use super::{bare, file, link, place};

    #[test]
    fn places_are_read_and_only_https_is_clicked() {
        assert_eq!(
            place("s3://reports/weekly/2026-W47"),
            "s3://reports/weekly/2026-W47"
        );
        assert_eq!(place("s3://evil.example/x"), "s3[:]//evil[.]example/x");
        assert_eq!(place("/srv/reports/weekly"), "/srv/reports/weekly");
        assert_eq!(
            place("https://r.corp.example/w"),
            "hxxps[:]//r[.]corp[.]example/w"
        );
        let good = "https://reports.corp.example/weekly/2026-W47?team=sec";
        assert_eq!(link(good).as_deref(), Some(good));
        for bad in [
            "http://reports.corp.example/",
            "HTTPS://reports.corp.example/",
            "https://ann:pw@reports.corp.example/",
            "https://reports.corp.example/|<!here>",
            "https://reports.corp.example/\" onclick=\"",
            "https:reports.corp.example",
            "https://",
            "javascript:alert(1)//https://x",
            "s3://reports/weekly",
            "/srv/reports",
        ] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_password_of_a_place_is_told() {
        assert_eq!(bare("https://ann:p@ss@host/x@y"), "https://***@host/x@y");
        assert_eq!(bare("s3://reports/a@b"), "s3://reports/a@b");
        assert_eq!(bare("/srv/a@b"), "/srv/a@b");
    }

    #[test]
    fn names_of_files_are_no_hosts() {
        assert_eq!(file("weekly.html"), "weekly.html");
        assert_eq!(file("weekly.md"), "weekly[.]md");
        assert_eq!(file("evil.example.html"), "evil[.]example[.]html");
    }
}
