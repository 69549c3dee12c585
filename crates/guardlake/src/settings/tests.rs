//! Settings from a file, the environment and flags, what is wrong with them, and what is written about them.

use std::path::Path;

use super::layers::Layers;
use super::*;

fn of(file: &str, variables: &[(&str, &str)]) -> Layers {
    let mut layers = Layers::default();
    layers.file("g.yaml", file);
    let variables = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    layers.environment(variables);
    layers
}

#[test]
fn the_file_then_the_environment() {
    let file = "lake:\n  uri: /a\n  retention: 30d\ningest:\n  max_rows: 5\nstream: {name: 7}\n";
    let variables = [
        ("GUARDLAKE__LAKE__URI", "/b"),
        ("GUARDLAKE__INGEST__SHARE", "true"),
        ("HOME", "/root"),
    ];
    let layers = of(file, &variables);
    let settings = layers.settings().unwrap();
    assert_eq!(settings.lake.uri.as_deref(), Some("/b"));
    assert_eq!(
        (settings.ingest.max_rows, settings.ingest.share),
        (Some(5), Some(true))
    );
    assert_eq!(settings.stream.name.as_deref(), Some("7"));
    let said = |path: &str| layers.said[path].1.to_string();
    assert_eq!(said("lake.uri"), "GUARDLAKE__LAKE__URI");
    assert_eq!(said("lake.retention"), "g.yaml:3:3");
    assert!(of("# nothing\n", &[]).settings().is_ok());
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    let file = "lake:\n  url: /a\n  retention: soon\nmetics: {}\nstream:\n  start: yesterday\n  retention: 5d\ningest:\n  max_rows: many\n  \
                max_age: 5s\nsql: here\nmetrics:\n  listen: nine\nlog:\n  level: a=b=c\n  format: xml\n";
    let variables = [
        ("GUARDLAKE__LAKE__URL", "x"),
        ("GUARDLAKE__INGEST__MAX_BYTES", "much"),
    ];
    let expected = [
        "g.yaml:2:3: lake.url: there is no such setting; did you mean `uri`?",
        "g.yaml:3:3: lake.retention: ",
        "g.yaml:4:1: metics: there is no such setting; did you mean `metrics`?",
        "g.yaml:6:3: stream.start: `yesterday` is neither oldest, newest nor a time",
        "g.yaml:7:3: stream.retention: there is no such setting; did you mean `lake.retention`?",
        "g.yaml:9:3: ingest.max_rows: must be a whole number, not `many`",
        "g.yaml:11:1: sql: must be lines of `name: ...`",
        "g.yaml:13:3: metrics.listen: `nine` is not HOST:PORT",
        "g.yaml:15:3: log.level: `a=b=c` is neither",
        "g.yaml:16:3: log.format: must be auto, text, json, not `xml`",
        "GUARDLAKE__INGEST__MAX_BYTES: ingest.max_bytes: must be a whole number, not `much`",
        "GUARDLAKE__LAKE__URL: there is no such setting; did you mean GUARDLAKE__LAKE__URI?",
    ];
    let told = of(file, &variables).told();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (line, start) in told.iter().zip(expected) {
        assert!(
            line.starts_with(start),
            "`{line}` does not start with `{start}`"
        );
    }
    let torn = of("lake:\n  uri: [\n", &[]).told();
    assert!(
        torn.len() == 1 && torn[0].starts_with("g.yaml:"),
        "{torn:?}"
    );
}

/// What is derived from the structs and lies in the repository. `UPDATE_SETTINGS=1 cargo test -p guardlake` writes it.
#[test]
fn example_schema_and_reference_say_what_the_structs_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = format!("{:#}\n", schema());
    let docs = root.join("docs/settings.md");
    let page = std::fs::read_to_string(&docs).unwrap();
    let (before, rest) = page
        .split_once("<!-- settings -->\n")
        .expect("the mark before the table");
    let (_, after) = rest
        .split_once("<!-- end -->")
        .expect("the mark after the table");
    let page = format!("{before}<!-- settings -->\n{}<!-- end -->{after}", table());
    let written = [
        (
            root.join("examples/guardlake.yaml"),
            document("./guardlake.schema.json"),
        ),
        (root.join("examples/guardlake.schema.json"), schema),
        (docs, page),
    ];
    for (path, text) in written {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test that writes files when it is told to"
        )]
        if std::env::var("UPDATE_SETTINGS").is_ok() {
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{} is not what the structs say: UPDATE_SETTINGS=1",
            path.display()
        );
    }
}

#[test]
fn every_setting_of_the_schema_is_known() {
    fn leaves(schema: &serde_json::Value, path: &str, found: &mut Vec<String>) {
        match schema["properties"].as_object() {
            Some(properties) => {
                for (name, part) in properties {
                    leaves(part, &format!("{path}.{name}"), found);
                }
            }
            None => found.push(path.trim_start_matches('.').to_owned()),
        }
    }
    let mut expected = Vec::new();
    leaves(&schema(), "", &mut expected);
    let mut found: Vec<String> = keys().into_iter().map(|key| key.path).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn no_mistake_repeats_a_secret() {
    let mut key = keys().remove(0);
    key.is_secret = true;
    let wrong = super::layers::must_be(&key, &serde_json::json!(["hunter22"]));
    assert_eq!(wrong, "must be text");
}

#[test]
fn every_setting_has_a_reference_and_an_example_that_is_right() {
    for key in keys() {
        assert!(key.about.ends_with('.'), "{}: {:?}", key.path, key.about);
    }
    let document = document("x.json");
    let settings = of(&document, &[]).settings().unwrap();
    assert_eq!(settings.lake.uri.as_deref(), Some("./lake"));
    // The same without the marks before settings that are only shown.
    let is_setting = |line: &str| {
        line.split_once(':').is_some_and(|(key, value)| {
            key.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !value.trim().contains(' ')
        })
    };
    let all: String = (document.lines())
        .filter_map(|line| {
            let bare = line
                .trim_start()
                .strip_prefix("# ")
                .unwrap_or(line.trim_start());
            let name = bare.trim_start();
            let depth = if name.ends_with(':') { "" } else { "  " };
            is_setting(name).then(|| format!("{depth}{name}\n"))
        })
        .collect();
    let layers = of(&all, &[]);
    assert_eq!(layers.told(), Vec::<String>::new(), "{all}");
    assert_eq!(layers.said.len(), keys().len(), "{all}");
}
