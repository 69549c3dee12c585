//! Documents as they look, beside files; `GOLDEN=update cargo test -p reports golden` writes them anew.

use std::path::Path;

use reports::Format;

use crate::made::{answers, body, made, report};

#[track_caller]
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "update") {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{name} differs; look at it with GOLDEN=update and git diff"
    );
}

#[test]
fn documents_as_they_look() {
    let report = report();
    let answers = answers(&report, str::to_owned);
    for format in Format::ALL {
        for document in made(&report, &answers, format) {
            check(&document.name, body(&document));
            if format == Format::Mail {
                check("everything-2026-W43.txt", &document.plain);
                assert_eq!(
                    document.title,
                    "Everything, 19 to 25 October 2026 (week 43)"
                );
            }
        }
    }
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let report = report();
    for format in Format::ALL {
        let once = made(&report, &answers(&report, str::to_owned), format);
        assert_eq!(
            once,
            made(&report, &answers(&report, str::to_owned), format)
        );
    }
}

/// Text in pictures is there: dark pixels where the names of rows stand.
#[test]
fn pictures_of_a_mail_have_words() {
    let report = report();
    let mail = made(&report, &answers(&report, str::to_owned), Format::Mail).remove(0);
    assert_eq!(mail.attachments.len(), 5);
    for picture in &mail.attachments {
        assert!(body(&mail).contains(&format!("cid:{}", picture.content_id)));
        let map = resvg::tiny_skia::Pixmap::decode_png(&picture.bytes).unwrap();
        assert_eq!(map.width(), 1_520);
        let dark = map
            .pixels()
            .iter()
            .filter(|p| p.red() < 110 && p.green() < 120 && p.blue() < 130);
        assert!(dark.count() > 100, "{} has no words", picture.name);
    }
}
