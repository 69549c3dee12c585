//! A finding that the API gives is the finding that the stream brought: the same key, version and columns.

use std::path::{Path, PathBuf};

use finding::{Decoded, Finding, decode};

fn findings(bytes: &[u8]) -> Vec<Finding<'static>> {
    let mut found = Vec::new();
    decode(bytes, &mut |_, decoded| {
        if let Decoded::Finding(finding) = decoded {
            found.push(finding.into_owned());
        }
    });
    found
}

#[track_caller]
fn only(text: &str) -> Finding<'static> {
    let mut found = findings(text.as_bytes());
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[test]
fn a_public_sample_is_the_same_row_in_an_event_and_in_an_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/samples/public");
    let mut compared = 0;
    for file in files(&folder) {
        for finding in findings(&std::fs::read(&file).unwrap()) {
            let raw = &finding.raw;
            // What the API sends says whose it is, in camelCase.
            if !["\"accountId\"", "\"region\"", "\"id\"", "\"type\""]
                .iter()
                .all(|member| raw.contains(member))
            {
                continue;
            }
            let event = only(&format!(
                r#"{{"version":"0","source":"aws.guardduty","detail-type":"GuardDuty Finding","account":"999999999999","region":"us-east-1","detail":{raw}}}"#
            ));
            let mut answer = only(&format!(r#"{{"nextToken":"","findings":[{raw}]}}"#));
            assert_eq!(answer.wire_shape.as_str(), "rest");
            assert_eq!(answer.key(), event.key(), "{}", file.display());
            assert_eq!(answer.version(), event.version(), "{}", file.display());
            answer.wire_shape = event.wire_shape;
            assert_eq!(answer, event, "{}", file.display());
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}
