//! What holds of `decode` for any bytes, and what stays the same when samples are cut, spoilt, joined or spelt otherwise.

use std::path::{Path, PathBuf};

use finding::{Decoded, Finding, boundary, decode};
use proptest::prelude::*;
use serde_json::Value;

#[path = "../../../fuzz/invariants.rs"]
mod invariants;

use invariants::{Item, check, items};

/// All collected samples but the packed one, sorted by name.
fn samples() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/samples");
    let list = |dir: &str| {
        std::fs::read_dir(root.join(dir))
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let mut paths: Vec<PathBuf> = list("public")
        .chain(list("synthetic-from-model"))
        .filter(|path| path.is_file())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|ext| ext == "json" || ext == "jsonl")
    });
    paths.sort();
    assert!(paths.len() > 60);
    paths
        .into_iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// One sample; a failure shows which, not its bytes.
#[derive(Clone)]
struct Sample(usize, Vec<u8>);

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sample {}", self.0)
    }
}

fn a_sample() -> impl Strategy<Value = Sample> {
    let samples: Vec<Sample> = samples()
        .into_iter()
        .enumerate()
        .map(|(i, bytes)| Sample(i, bytes))
        .collect();
    prop::sample::select(samples)
}

fn findings(bytes: &[u8]) -> Vec<Finding<'static>> {
    let mut findings = Vec::new();
    decode(bytes, &mut |_, decoded| {
        if let Decoded::Finding(finding) = decoded {
            findings.push(finding.into_owned());
        }
    });
    findings
}

fn said(items: &[Item]) -> Vec<(usize, u32, String)> {
    items
        .iter()
        .map(|item| (item.offset, item.item, item.says.clone()))
        .collect()
}

#[test]
fn every_sample_keeps_the_invariants() {
    for sample in samples() {
        check(&sample);
        assert!(!items(&sample).is_empty());
    }
}

/// The public samples joined in one stream, each followed by `separator`.
fn joined(separator: &str) {
    let all = samples();
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    for sample in &all {
        let base = stream.len();
        expected.extend(items(sample).into_iter().map(|item| Item {
            offset: item.offset + base,
            ..item
        }));
        stream.extend_from_slice(sample);
        stream.extend_from_slice(separator.as_bytes());
    }
    check(&stream);
    assert_eq!(
        said(&items(&stream)),
        said(&expected),
        "separated by {separator:?}"
    );
}

#[test]
fn documents_joined_in_any_way_give_what_each_gives() {
    for separator in ["", "\n", "\r\n\r\n", " ", ",\n", "\0", "\u{1e}", "\u{feff}"] {
        joined(separator);
    }
}

#[test]
fn a_stream_cut_at_every_boundary_gives_the_same() {
    let stream = samples().join(&b'\n');
    let whole = items(&stream);
    let mut rest = stream.len();
    let mut cuts = 0;
    while let Some(cut) = boundary(&stream[..rest]) {
        let mut halves = items(&stream[..cut]);
        halves.extend(items(&stream[cut..]).into_iter().map(|item| Item {
            offset: item.offset + cut,
            ..item
        }));
        assert_eq!(said(&halves), said(&whole));
        rest = cut;
        cuts += 1;
    }
    assert!(cuts > 60, "{cuts} boundaries");
}

/// Renames every member that GuardDuty's model names; map keys are data and stay.
fn respell(value: &mut Value, spell: fn(&str) -> String) {
    const MAPS: [&str; 4] = ["affectedresources", "profiles", "behavior", "productfields"];
    match value {
        Value::Object(members) => {
            for (name, mut value) in std::mem::take(members) {
                if !MAPS.contains(&name.to_ascii_lowercase().as_str()) {
                    respell(&mut value, spell);
                }
                members.insert(spell(&name), value);
            }
        }
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|element| respell(element, spell)),
        _ => {}
    }
}

fn pascal(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[test]
fn the_case_of_the_keys_changes_nothing_but_the_shape() {
    let mut compared = 0;
    for finding in samples().iter().flat_map(|sample| findings(sample)) {
        // Flattened rows carry paths for names, ASFF has rules of its own; a finding without an id is known by its text.
        let native = finding.wire_shape.is_native() && finding.wire_shape.as_str() != "athena";
        let Ok(value) = serde_json::from_str::<Value>(&finding.raw) else {
            continue;
        };
        if !native || finding.finding_id.starts_with("sha256-") {
            continue;
        }
        for (spell, shape) in [(pascal as fn(&str) -> String, "console"), (lower, "athena")] {
            let mut spelt = value.clone();
            respell(&mut spelt, spell);
            let text = spelt.to_string();
            let respelt = findings(text.as_bytes());
            let [respelt] = respelt.as_slice() else {
                panic!("{text}: {respelt:?}")
            };
            assert!(
                respelt.wire_shape.as_str() == shape || shape == "athena",
                "{}",
                respelt.wire_shape
            );
            // A document without account or Region has them from its envelope, and serde_json orders its keys anew.
            let same = |f: &Finding<'static>| Finding {
                raw: "".into(),
                wire_shape: Default::default(),
                account_id: "".into(),
                region: "".into(),
                remote_ips: sorted(&f.remote_ips),
                ..f.clone()
            };
            let original = findings(value.to_string().as_bytes()).remove(0);
            assert_eq!(same(respelt), same(&original));
            if respelt.updated_at.is_some() && respelt.count.is_some() {
                assert_eq!(respelt.version(), original.version());
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} compared");
}

fn sorted(ips: &[std::borrow::Cow<'static, str>]) -> Vec<std::borrow::Cow<'static, str>> {
    let mut ips = ips.to_vec();
    ips.sort();
    ips
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn any_text_of_json_signs(text in "([\\[\\]{}:,\"\\\\ \n\r\t\0\u{feff}é0-9tfn]|\\{\"id\":\"|\"detail\":\\{|\\}\n\\{|\"findings\":\\[|true|null){0,60}") {
        check(text.as_bytes());
    }

    #[test]
    fn a_sample_cut_short(sample in a_sample(), at in any::<prop::sample::Index>()) {
        check(&sample.1[..at.index(sample.1.len())]);
    }

    #[test]
    fn a_sample_with_bytes_replaced(sample in a_sample(), at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 0..4), cut in 0usize..4) {
        let Sample(_, mut sample) = sample;
        let at = at.index(sample.len());
        let end = (at + cut).min(sample.len());
        sample.splice(at..end, with);
        check(&sample);
    }

    #[test]
    fn good_documents_around_a_broken_one_are_read(
        before in a_sample(),
        broken in a_sample(),
        after in a_sample(),
        at in any::<prop::sample::Index>(),
    ) {
        let [before, broken, after] = [before.1, broken.1, after.1];
        // One line, as streams carry it, cut within.
        let line: Value = serde_json::Deserializer::from_slice(&broken).into_iter().next().unwrap().unwrap();
        let line = line.to_string();
        let mut cut = 1 + at.index(line.len() - 1);
        while !line.is_char_boundary(cut) {
            cut -= 1;
        }
        let stream = [&before, b"\n".as_slice(), &line.as_bytes()[..cut.max(1)], b"\n", &after].concat();
        check(&stream);
        let read = items(&stream);
        let says = |items: &[Item]| items.iter().map(|item| item.says.clone()).collect::<Vec<_>>();
        let (first, last) = (says(&items(&before)), says(&items(&after)));
        let all = says(&read);
        prop_assert!(all.starts_with(&first));
        prop_assert!(all.ends_with(&last));
        prop_assert_eq!(all.len(), first.len() + 1 + last.len());
    }

    #[test]
    fn two_inputs_joined_give_both(a in a_sample(), b in a_sample()) {
        let (a, b) = (a.1, b.1);
        let mut expected = items(&a);
        expected.extend(items(&b).into_iter().map(|item| Item { offset: item.offset + a.len(), ..item }));
        prop_assert_eq!(said(&items(&[a, b].concat())), said(&expected));
    }
}
