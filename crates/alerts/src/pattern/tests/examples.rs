//! What AWS's user guide and the README of event-ruler document, each with an event that fits and one that nearly does.

use serde_json::{Value, json};

use super::check;
use crate::Pattern;

/// The event of the README, with members replaced or added in `detail`.
fn event(detail: Value) -> Value {
    let mut event = json!({
        "version": "0",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "012345679012",
        "time": "2017-10-02T16:24:49Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
        "detail": {"c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33", "state": "running"},
    });
    if let Value::Object(members) = detail {
        event["detail"].as_object_mut().unwrap().extend(members);
    }
    event
}

/// A pattern for `detail.x`, with values of it that fit and that do not.
#[track_caller]
fn check_x(list: Value, fits: &[Value], not: &[Value]) {
    let events = |values: &[Value]| -> Vec<Value> {
        let event = |value: &Value| json!({"detail": {"x": value}});
        values.iter().map(event).collect()
    };
    check(json!({"detail": {"x": list}}), &events(fits), &events(not));
}

#[test]
fn all_fields_must_fit_and_one_value_of_each() {
    check(
        json!({
            "detail-type": ["EC2 Instance State-change Notification"],
            "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
            "detail": {"state": ["initializing", "running"]},
        }),
        &[event(json!({})), event(json!({"state": "initializing"}))],
        &[
            event(json!({"state": "Running"})),
            event(json!({"state": null})),
            json!({"detail-type": "EC2 Instance State-change Notification", "detail": {"state": "running"}}),
            json!([]),
            json!("running"),
        ],
    );
}

#[test]
fn an_array_in_the_event_fits_if_one_element_does() {
    check(
        json!({"resources": ["arn:b", "arn:c"]}),
        &[
            json!({"resources": ["arn:a", "arn:b"]}),
            json!({"resources": [["arn:c"]]}),
        ],
        &[
            json!({"resources": ["arn:a"]}),
            json!({"resources": []}),
            json!({}),
        ],
    );
}

#[test]
fn empty_texts_and_null_are_different() {
    check_x(
        json!([""]),
        &[json!("")],
        &[json!(null), json!([]), json!(" ")],
    );
    check_x(
        json!([null]),
        &[json!(null)],
        &[json!(""), json!("null"), json!({})],
    );
    check(
        json!({"detail": {"x": [null]}}),
        &[],
        &[json!({"detail": {}}), json!({"detail": null})],
    );
}

#[test]
fn values_are_compared_with_their_type() {
    check_x(
        json!([8]),
        &[json!(8), json!(8.0), json!(80e-1)],
        &[json!("8"), json!(8.5)],
    );
    check_x(json!(["8"]), &[json!("8")], &[json!(8)]);
    check_x(
        json!([true]),
        &[json!(true)],
        &[json!("true"), json!(false), json!(1)],
    );
    check_x(
        json!([9_007_199_254_740_993_u64]),
        &[json!(9_007_199_254_740_993_u64)],
        &[
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_992.0),
        ],
    );
    check_x(json!([0]), &[json!(0), json!(-0.0)], &[json!(null)]);
}

#[test]
fn starts_and_ends() {
    check(
        json!({"time": [{"prefix": "2017-10-02"}]}),
        &[event(json!({}))],
        &[
            json!({"time": "2017-10-03T16:24:49Z"}),
            json!({"time": 2017}),
            json!({}),
        ],
    );
    check_x(
        json!([{"prefix": {"equals-ignore-case": "EventB"}}]),
        &[json!("eventbridge"), json!("EVENTB"), json!("EVENTBRIDGE")],
        &[json!("event"), json!("xeventb")],
    );
    check_x(
        json!([{"suffix": ".png"}]),
        &[json!("a.png"), json!(".png")],
        &[json!("a.PNG"), json!("png")],
    );
    check_x(
        json!([{"suffix": {"equals-ignore-case": ".png"}}]),
        &[json!("a.png"), json!("A.PnG")],
        &[json!("a.pngx"), json!(5)],
    );
    check_x(
        json!([{"prefix": ""}]),
        &[json!(""), json!("a")],
        &[json!(1), json!(null)],
    );
    check_x(json!([{"exactly": "a"}]), &[json!("a")], &[json!("ab")]);
}

#[test]
fn upper_and_lower_case_beyond_ascii() {
    check_x(
        json!([{"equals-ignore-case": "Straße Ω"}]),
        &[json!("straße ω"), json!("STRASSE Ω")],
        &[json!("strase ω"), json!("straße"), json!("straße ωx")],
    );
    check_x(
        json!([{"suffix": {"equals-ignore-case": "ß"}}]),
        &[json!("SS"), json!("aß")],
        &[json!("s")],
    );
    check_x(
        json!([{"equals-ignore-case": "alice"}]),
        &[json!("Alice")],
        &[json!("Alicia"), json!("")],
    );
}

#[test]
fn wildcards() {
    check(
        json!({"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}),
        &[json!({"EventBusArn": "arn:aws:events:us-east-1:1:event-bus/"})],
        &[json!({"EventBusArn": "arn:aws:events:us-east-1:event-bus/a"})],
    );
    check_x(
        json!([{"wildcard": "dir/*.png"}]),
        &[
            json!("dir/a.png"),
            json!("dir/a/b.png"),
            json!("dir/.png"),
            json!("dir/x\n.png"),
        ],
        &[json!("dir.png"), json!("dir/a.pngx"), json!(5)],
    );
    check_x(
        json!([{"wildcard": "*"}]),
        &[json!(""), json!("a")],
        &[json!(null), json!(1)],
    );
    check_x(
        json!([{"wildcard": "a"}]),
        &[json!("a")],
        &[json!("ab"), json!("")],
    );
    check_x(
        json!([{"wildcard": "ab*ba"}]),
        &[json!("abba")],
        &[json!("aba")],
    );
    check_x(
        json!([{"wildcard": "a*b*c"}]),
        &[json!("abbc"), json!("axbxc")],
        &[json!("acb")],
    );
    check_x(
        json!([{"wildcard": r"a\*b\\*"}]),
        &[json!(r"a*b\"), json!(r"a*b\c")],
        &[json!("axb"), json!("a*b")],
    );
}

#[test]
fn anything_but_values() {
    let others = [
        json!("x"),
        json!(0),
        json!(null),
        json!(true),
        json!(["initializing", "x"]),
    ];
    check_x(
        json!([{"anything-but": "initializing"}]),
        &others,
        &[json!("initializing"), json!([])],
    );
    check_x(
        json!([{"anything-but": 123}]),
        &others,
        &[json!(123), json!(123.0)],
    );
    check_x(
        json!([{"anything-but": ["stopped", "overloaded"]}]),
        &others,
        &[json!("stopped"), json!("overloaded")],
    );
    check_x(
        json!([{"anything-but": [100, 200]}]),
        &others,
        &[json!(100), json!(200), json!([100, 200])],
    );
    check(
        json!({"x": [{"anything-but": "a"}]}),
        &[],
        &[json!({}), json!({"x": {"y": 1}})],
    );
}

#[test]
fn anything_but_texts_that_are_like_something() {
    let others = [json!("zzz"), json!(7), json!(null)];
    check_x(
        json!([{"anything-but": {"prefix": "init"}}]),
        &others,
        &[json!("initializing"), json!("init")],
    );
    check_x(
        json!([{"anything-but": {"prefix": ["init", "error"]}}]),
        &others,
        &[json!("init"), json!("error 5")],
    );
    check_x(
        json!([{"anything-but": {"suffix": ".txt"}}]),
        &others,
        &[json!("a.txt"), json!(".txt")],
    );
    check_x(
        json!([{"anything-but": {"suffix": [".txt", ".rtf"]}}]),
        &others,
        &[json!("a.txt"), json!("a.rtf")],
    );
    check_x(
        json!([{"anything-but": {"equals-ignore-case": "Stopped"}}]),
        &others,
        &[json!("STOPPED")],
    );
    check_x(
        json!([{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]),
        &others,
        &[json!("Initializing"), json!("stopped")],
    );
    check_x(
        json!([{"anything-but": {"wildcard": "*/lib/*"}}]),
        &others,
        &[json!("/usr/lib/a")],
    );
    check_x(
        json!([{"anything-but": {"wildcard": ["*/bin/*.jar", "*/bin/*.class"]}}]),
        &others,
        &[json!("a/bin/b.jar"), json!("a/bin/b.class")],
    );
}

#[test]
fn numbers() {
    check(
        json!({"detail": {
            "c-count": [{"numeric": [">", 0, "<=", 5]}],
            "d-count": [{"numeric": ["<", 10]}],
            "x-limit": [{"numeric": ["=", 3.018e2]}],
        }}),
        &[event(json!({})), event(json!({"c-count": 0.1}))],
        &[
            event(json!({"c-count": 0})),
            event(json!({"c-count": 5.1})),
            event(json!({"d-count": 10})),
            event(json!({"x-limit": 302})),
            event(json!({"x-limit": "301.8"})),
        ],
    );
    check_x(
        json!([{"numeric": [">=", 7]}]),
        &[json!(7), json!(8.9)],
        &[json!(6.999), json!("8"), json!(null)],
    );
    check_x(
        json!([{"numeric": ["<=", -1.5]}]),
        &[json!(-1.5), json!(-2)],
        &[json!(-1)],
    );
    check_x(
        json!([{"numeric": [">", 9_007_199_254_740_992.0]}]),
        &[
            json!(9_007_199_254_740_993_u64),
            json!(u64::MAX),
            json!(1e300),
        ],
        &[json!(9_007_199_254_740_992_u64), json!(i64::MIN)],
    );
    check_x(
        json!([{"numeric": ["<", 18446744073709551615_u64]}]),
        &[json!(u64::MAX - 1)],
        &[json!(1.8446744073709552e19)],
    );
}

#[test]
fn networks_and_addresses() {
    check_x(
        json!([{"cidr": "10.0.0.0/24"}]),
        &[
            json!("10.0.0.0"),
            json!("10.0.0.255"),
            json!(["x", "10.0.0.9"]),
            json!("::ffff:10.0.0.1"),
        ],
        &[
            json!("10.0.1.0"),
            json!("10.0.0.0/24"),
            json!("10.0.0"),
            json!("::1"),
            json!(10),
        ],
    );
    check_x(
        json!([{"cidr": "10.0.0.77/24"}]),
        &[json!("10.0.0.1")],
        &[json!("10.0.1.77")],
    );
    check_x(
        json!([{"cidr": "0.0.0.0/0"}]),
        &[json!("203.0.113.9")],
        &[json!("2001:db8::1")],
    );
    check_x(
        json!([{"cidr": "2001:db8::/32"}]),
        &[json!("2001:0DB8:ffff::"), json!("2001:db8::")],
        &[json!("2001:db9::"), json!("10.0.0.1")],
    );
    check_x(
        json!([{"cidr": "::ffff:10.0.0.0/104"}]),
        &[json!("10.1.2.3")],
        &[json!("11.0.0.1")],
    );
    check_x(
        json!(["::1"]),
        &[json!("0:0:0:0:0:0:0:1")],
        &[json!("::2"), json!(":1")],
    );
    check_x(
        json!(["10.0.0.1"]),
        &[json!("10.0.0.1")],
        &[json!("10.0.0.10")],
    );
}

#[test]
fn being_there() {
    let exists = json!({"detail": {"c-count": [{"exists": true}]}});
    let absent = json!({"detail": {"c-count": [{"exists": false}]}});
    let with = [
        json!({"detail": {"c-count": 5}}),
        json!({"detail": {"c-count": null}}),
        json!({"detail": {"c-count": ["a"]}}),
        json!({"detail": [{"c-count": 1}]}),
    ];
    // An object and an empty array are no leaves.
    let without = [
        json!({"detail": {"state": "running"}}),
        json!({"detail": {"c-count": {"c1": 100}}}),
        json!({"detail": {"c-count": []}}),
        json!({}),
    ];
    check(exists, &with, &without);
    check(absent, &without, &with);
    check(
        json!({"x": ["a", {"exists": false}]}),
        &[json!({"x": "a"}), json!({})],
        &[json!({"x": "b"})],
    );
}

#[test]
fn the_complex_example() {
    check(
        json!({
            "time": [{"prefix": "2017-10-02"}],
            "detail": {
                "state": [{"anything-but": "initializing"}],
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"anything-but": [100, 200, 300]}],
                "source-ip": [{"cidr": "10.0.0.0/8"}],
            },
        }),
        &[event(json!({}))],
        &[
            event(json!({"x-limit": 200})),
            event(json!({"source-ip": "11.0.0.33"})),
            event(json!({"state": "initializing"})),
        ],
    );
}

#[test]
fn one_branch_of_an_or() {
    let alarm = |detail: Value| json!({"source": "aws.cloudwatch", "detail": detail});
    check(
        json!({"source": ["aws.cloudwatch"], "$or": [
            {"metricName": ["CPUUtilization", "ReadLatency"]},
            {"metricType": ["MetricType"], "namespace": ["AWS/EC2"], "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]},
            {"scope": ["Service"]},
        ]}),
        &[
            json!({"source": "aws.cloudwatch", "metricName": "ReadLatency"}),
            json!({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2", "spaceId": 1000}),
            json!({"source": "aws.cloudwatch", "scope": "Service"}),
        ],
        &[
            json!({"metricName": "ReadLatency"}),
            json!({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2"}),
            json!({"source": "aws.cloudwatch", "metricType": "MetricType", "metricId": 1234}),
            json!({"source": "aws.cloudwatch"}),
        ],
    );
    check(
        json!({"detail": {"$or": [
            {"c-count": [{"numeric": [">", 0, "<=", 5]}]},
            {"d-count": [{"numeric": ["<", 10]}]},
            {"x-limit": [{"numeric": ["=", 3.018e2]}]},
        ]}}),
        &[
            alarm(json!({"c-count": 5})),
            alarm(json!({"d-count": 9})),
            alarm(json!({"x-limit": 301.8})),
        ],
        &[
            alarm(json!({"c-count": 6, "d-count": 10, "x-limit": 1})),
            json!({"c-count": 5}),
        ],
    );
    check(
        json!({
            "$or": [{"metricName": ["A"]}, {"namespace": ["B"]}],
            "detail": {"$or": [{"source": ["C"]}, {"detail-type": ["D"]}]},
        }),
        &[
            json!({"metricName": "A", "detail": {"source": "C"}}),
            json!({"namespace": "B", "detail": {"detail-type": "D"}}),
        ],
        &[
            json!({"metricName": "A", "namespace": "B"}),
            json!({"detail": {"source": "C", "detail-type": "D"}}),
        ],
    );
}

#[test]
fn leaves_from_different_elements_do_not_count_together() {
    let both = json!({"tags": {"key": ["team"], "value": ["red"]}});
    check(
        both,
        &[
            json!({"tags": [{"key": "x", "value": "red"}, {"key": "team", "value": "red"}]}),
            json!({"tags": {"key": "team", "value": "red"}}),
            json!({"tags": [[{"key": "team", "value": "red"}]]}),
        ],
        &[
            json!({"tags": [{"key": "team", "value": "blue"}, {"key": "x", "value": "red"}]}),
            json!({"tags": [[{"key": "team"}], [{"value": "red"}]]}),
        ],
    );
    // Different arrays are free of each other, and so are leaves directly in arrays.
    check(
        json!({"a": {"x": [1], "t": ["p"]}, "b": {"y": [2]}, "s": ["m"]}),
        &[json!({"a": [{}, {"x": 1, "t": ["o", "p"]}], "b": [{"y": 2}], "s": ["n", "m"]})],
        &[json!({"a": [{"x": 1}, {"t": ["p"]}], "b": [{"y": 2}], "s": ["m"]})],
    );
    // An array within an element belongs to that element.
    check(
        json!({"a": {"b": {"c": [1], "d": [2]}, "e": [3]}}),
        &[json!({"a": [{"b": [{"c": 0}], "e": 3}, {"b": [{"c": 0}, {"c": 1, "d": 2}], "e": 3}]})],
        &[
            json!({"a": [{"b": [{"c": 1, "d": 2}]}, {"e": 3}]}),
            json!({"a": [{"b": [{"c": 1}, {"d": 2}], "e": 3}]}),
        ],
    );
}

#[test]
fn what_must_be_absent_is_looked_for_in_the_elements_decided_for() {
    // `a` is decided before `b` is looked for, as event-ruler does in the order of the paths.
    check(
        json!({"l": {"a": [1], "b": [{"exists": false}]}}),
        &[
            json!({"l": [{"a": 1}, {"b": 2}]}),
            json!({"l": [{"a": 1, "b": 2}, {"a": 1}]}),
        ],
        &[json!({"l": [{"a": 1, "b": 2}]})],
    );
    check(
        json!({"l": {"a": [{"exists": false}], "b": [2]}}),
        &[json!({"l": [{"b": 2}]})],
        &[json!({"l": [{"a": 1}, {"b": 2}]})],
    );
}

#[test]
fn the_order_of_the_text_does_not_matter() {
    let text = r#"{"l": {"b": [{"exists": false}], "a": [1]}}"#;
    let pattern = Pattern::parse(text).unwrap();
    assert!(pattern.matches(&json!({"l": [{"a": 1}, {"b": 2}]})));
    assert!(!pattern.matches(&json!({"l": [{"a": 1, "b": 2}]})));
}

#[test]
fn names_with_dots_are_paths() {
    let events = [
        json!({"a": {"b.c": 1}}),
        json!({"a.b": {"c": 1}}),
        json!({"a": {"b": {"c": 1}}}),
        json!({"a.b.c": 1}),
    ];
    check(
        json!({"a": {"b": {"c": [1]}}}),
        &events,
        &[json!({"a": {"c": 1}})],
    );
    check(json!({"a.b.c": [1]}), &events, &[json!({"b.c": 1})]);
}

#[test]
fn operators_as_names_of_fields() {
    check(
        json!({"requestParameters": {"prefix": ["logs/"], "cidr": [{"prefix": "10."}]}}),
        &[json!({"requestParameters": {"prefix": "logs/", "cidr": "10.0.0.0/8"}})],
        &[json!({"requestParameters": {"prefix": "logs/x"}})],
    );
}

#[test]
fn guardduty_as_users_filter_it() {
    let finding = |severity: f64, kind: &str| {
        json!({
            "source": "aws.guardduty",
            "detail-type": "GuardDuty Finding",
            "detail": {"severity": severity, "type": kind, "service": {"archived": false}},
        })
    };
    check(
        json!({
            "source": ["aws.guardduty"],
            "detail-type": ["GuardDuty Finding"],
            "detail": {"severity": [4, 4.0, 4.1, {"numeric": [">=", 7]}], "type": [{"prefix": "Recon:"}, {"wildcard": "*:EC2/*"}],
                "service": {"archived": [false]}},
        }),
        &[
            finding(8.0, "Recon:IAMUser/X"),
            finding(4.0, "Trojan:EC2/DropPoint"),
        ],
        &[finding(5.0, "Recon:IAMUser/X"), finding(8.0, "Trojan:S3/X")],
    );
}
