//! Which keys are listed.

use super::*;

const KEY: &str = "soc/AWSLogs/111122223333/GuardDuty/eu-west-1/2026/11/22/0b1c-4d5e.jsonl.gz";

#[test]
fn keys_of_guardduty_have_a_place_and_a_day() {
    let here = "soc/AWSLogs/111122223333/GuardDuty/eu-west-1/";
    assert_eq!(place(KEY), Some((here, "2026/11/22/")));
    for other in [
        "",
        "findings.jsonl.gz",
        "AWSLogs/1/GuardDuty/",
        "AWSLogs/1/GuardDuty/eu-west-1/2026/11",
        "AWSLogs/1/GuardDuty/eu-west-1/2026/11/x2/a",
        "AWSLogs/1/GuardDuty/eu-west-1/é026/11/22/a",
        "AWSLogs/1/CloudTrail/eu-west-1/2026/11/22/a",
    ] {
        assert_eq!(place(other), None, "{other}");
    }
}

#[test]
fn only_the_newest_days_of_each_place_are_looked_at_again() {
    let mut shelf = Shelf::default();
    let root = "AWSLogs/111122223333/GuardDuty";
    for day in ["2026/10/31", "2026/11/20", "2026/11/22", "2026/11/21"] {
        shelf.saw(&format!("{root}/eu-west-1/{day}/a.jsonl.gz"));
    }
    shelf.saw(&format!("{root}/us-east-1/2026/11/01/a.jsonl.gz"));
    let listed = |place: &str, day: &str| {
        let place = format!("{root}/{place}/");
        (place.clone(), Some(format!("{place}{day}/")))
    };
    assert_eq!(
        shelf.plan("AWSLogs/", false),
        [
            listed("eu-west-1", "2026/11/20"),
            listed("us-east-1", "2026/11/01")
        ]
    );
    assert_eq!(
        shelf.plan("AWSLogs/", true),
        [("AWSLogs/".to_owned(), None)]
    );
    shelf.saw("AWSLogs/notes.txt");
    assert_eq!(
        shelf.plan("AWSLogs/", false),
        [("AWSLogs/".to_owned(), None)]
    );
}
