//! The functions through SQL, with each of Arrow's string types.

use crate::testing::{ask, empty};

async fn check(cases: &[(&str, &str)]) {
    let session = empty().await;
    for (sql, expected) in cases {
        let got = ask(&session, &format!("SELECT {sql}"))
            .await
            .unwrap_or_else(|error| error.to_string());
        assert_eq!(&got, expected, "{sql}");
    }
}

#[tokio::test]
async fn addresses_and_networks() {
    check(&[
        ("ip_in_cidr('10.1.2.3', '10.0.0.0/8')", "true"),
        ("ip_in_cidr('::ffff:10.1.2.3', '10.0.0.0/8')", "true"),
        ("ip_in_cidr('10.1.2.3', '::ffff:10.0.0.0/104')", "true"),
        ("ip_in_cidr('10.1.2.3', '10.1.2.3')", "true"),
        ("ip_in_cidr('10.1.2.3', '2001:db8::/32')", "false"),
        ("ip_in_cidr('2001:db8::1', '2001:db8::/32')", "true"),
        ("ip_in_cidr('fe80::1%eth0', 'fe80::/10')", "true"),
        ("ip_in_cidr('10.1.2.300', '10.0.0.0/8')", "null"),
        ("ip_in_cidr('10.1.2.3', '10.0.0.0/33')", "null"),
        ("ip_in_cidr(NULL, '10.0.0.0/8')", "null"),
        ("ip_in_cidr('10.1.2.3', NULL)", "null"),
        ("cidrmatch('10.0.0.0/8', '11.1.2.3')", "false"),
        (
            "ip_is_private('100.64.0.1'), ip_is_private('169.254.1.1'), ip_is_private('fd00::1')",
            "true|true|true",
        ),
        (
            "ip_is_private('198.51.100.0'), ip_is_private('8.8.8.8'), ip_is_private('')",
            "false|false|null",
        ),
        (
            "ip_family('8.8.8.8'), ip_family('::1'), ip_family('::ffff:8.8.8.8'), ip_family('x')",
            "4|6|4|null",
        ),
        (
            "ip_network('10.1.2.3', 16), ip_network('2001:db8::1', 32)",
            "10.1.0.0/16|2001:db8::/32",
        ),
        (
            "ip_network('10.1.2.3', 33), ip_network('10.1.2.3', -1)",
            "null|null",
        ),
        ("ip_to_int('1.0.0.1'), ip_to_int('::1')", "16777217|1"),
        (
            "ip_to_int('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')",
            "340282366920938463463374607431768211455",
        ),
    ])
    .await;
}

#[tokio::test]
async fn any_string_type_will_do() {
    let session = empty().await;
    for kind in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)"] {
        let sql = format!(
            "SELECT ip_in_cidr(arrow_cast(ip, '{kind}'), arrow_cast(net, '{kind}')), cidrmatch(net, arrow_cast(ip, '{kind}')) \
             FROM (VALUES ('10.1.2.3', '10.0.0.0/8'), ('x', '10.0.0.0/8'), (NULL, NULL)) AS t(ip, net)"
        );
        assert_eq!(
            ask(&session, &sql).await.unwrap(),
            "true|true\nnull|null\nnull|null",
            "{kind}"
        );
    }
}

#[tokio::test]
async fn severities_have_no_gap_between_labels() {
    check(&[
        (
            "severity_label(0.9), severity_label(1), severity_label(3.95)",
            "Informational|Low|Low",
        ),
        (
            "severity_label(4.0), severity_label(7), severity_label(8.999)",
            "Medium|High|High",
        ),
        (
            "severity_label(9), severity_label(10.0), severity_label(NULL)",
            "Critical|Critical|null",
        ),
    ])
    .await;
}

#[tokio::test]
async fn json_in_raw() {
    let raw = r#"'{"service":{"count":3,"names":["a","b"]},"title":"x"}'"#;
    check(&[
        (&format!("{raw}->'service'->>'count'"), "3"),
        (&format!("json_get_int({raw}, 'service', 'count')"), "3"),
        (&format!("json_get_str({raw}, 'title')"), "x"),
        (&format!("json_get_str({raw}, 'service', 'names', 1)"), "b"),
        (&format!("json_contains({raw}, 'title')"), "true"),
        ("json_get_str('not json', 'title')", "null"),
    ])
    .await;
}

#[tokio::test]
async fn wrong_arguments_say_what_is_wanted() {
    let session = empty().await;
    let error = ask(&session, "SELECT ip_in_cidr('10.0.0.1')")
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("ip_in_cidr takes an address and a network"),
        "{error}"
    );
}
