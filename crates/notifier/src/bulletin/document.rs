//! A report for machines: what it is, its summary and where the rest lies. Pages and pictures are among its documents.

use alerts::rfc3339;
use serde_json::{Value, json};

use super::{Bulletin, words::bare};
use crate::document::smaller;

/// `event` (always `report`), `key`, `report`, `period`, `title`, `summary`, `text`, `location`, `documents`, `made_at`; texts to the
/// letter.
pub(crate) fn document(bulletin: &Bulletin) -> Value {
    json!({
        "event": "report", "key": bulletin.key, "report": bulletin.report, "period": bulletin.period,
        "title": bulletin.title, "summary": bulletin.summary, "text": bulletin.plain,
        "location": bare(&bulletin.location), "documents": bulletin.documents,
        "made_at": rfc3339(bulletin.made_at),
    })
}

/// The same in at most so many bytes: lists and texts are cut, the long text first, and then `"truncated": true` says so. Below about
/// 3 KB nothing is promised.
pub(crate) fn within(most: usize, bulletin: &Bulletin) -> Value {
    let keep = |cut: &mut Value, whole: &Value| {
        // Half a name or half a path is a wrong one; none of ours is longer.
        for name in ["key", "report", "period", "location"] {
            if whole[name].as_str().is_some_and(|text| text.len() <= 200) {
                cut[name].clone_from(&whole[name]);
            }
        }
    };
    smaller(most, document(bulletin), keep)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{document, within};
    use crate::document::line;
    use crate::testing;

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let small = testing::report();
        assert_eq!(within(20_000, &small), document(&small));
        let mut long = testing::report();
        long.plain = "x".repeat(50_000);
        let cut = within(20_000, &long);
        assert_eq!(
            (&cut["truncated"], &cut["summary"]),
            (&json!(true), &json!(long.summary))
        );
        for most in [240_000, 20_000, 3_000] {
            let huge = testing::huge_report();
            let cut = within(most, &huge);
            assert!(line(&cut).len() <= most, "{}", line(&cut).len());
            assert_eq!(
                (&cut["key"], &cut["truncated"]),
                (&json!(huge.key), &json!(true))
            );
        }
    }
}
