//! Every framing, wrapper and shape on documents small enough to read, and what becomes of what is no finding.

use std::io::Write;

use finding::{Decoded, boundary, decode};
use flate2::{Compression, write::GzEncoder};

/// A bare finding with what identity needs.
const BARE: &str =
    r#"{"accountId":"111122223333","region":"eu-west-1","id":"f1","type":"Recon:EC2/Portscan"}"#;
const EVENT: &str = r#"{"source":"aws.guardduty","detail-type":"GuardDuty Finding","account":"999999999999","region":"us-east-1","detail":{"id":"f2","type":"t"}}"#;
const F1: &str = "0.0 export 111122223333/eu-west-1/f1";

fn read(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    decode(bytes, &mut |at, decoded| {
        let what = match decoded {
            Decoded::Finding(f) => format!(
                "{} {}/{}/{}",
                f.wire_shape, f.account_id, f.region, f.finding_id
            ),
            Decoded::Skipped => "skipped".to_owned(),
            Decoded::Reject(r) => format!(
                "reject {:?}: {}",
                String::from_utf8_lossy(r.bytes),
                r.reason
            ),
        };
        lines.push(format!("{}.{} {what}", at.offset, at.item));
    });
    lines
}

#[track_caller]
fn check(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    assert_eq!(
        read(bytes.as_ref()),
        expected,
        "{:?}",
        String::from_utf8_lossy(bytes.as_ref())
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .chain([&0; 2])
            .take(3)
            .fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        let sign = |i: usize| {
            if i > chunk.len() {
                '='
            } else {
                char::from(SIGNS[bits >> (18 - 6 * i) & 63])
            }
        };
        (0..4).map(sign).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[test]
fn nothing_is_nothing() {
    for empty in ["", " \r\n\t", "\u{feff}", "\0\0", ",,"] {
        check(empty, &[]);
    }
}

#[test]
fn framing_is_found() {
    let two = |offset| {
        [
            F1.to_owned(),
            format!("{offset}.0 eventbridge 999999999999/us-east-1/f2"),
        ]
    };
    for separator in ["", "\n", "\r\n", " , ", "\0", "\u{1e}", "\n\n  "] {
        let stream = format!("{BARE}{separator}{EVENT}");
        let expected = two(BARE.len() + separator.len());
        assert_eq!(read(stream.as_bytes()), expected, "{separator:?}");
    }
    check(
        format!("\u{feff}{BARE}\n"),
        &["3.0 export 111122223333/eu-west-1/f1"],
    );
    check(
        format!("[{BARE},{EVENT} , [{BARE}]]"),
        &[
            "0.0 export 111122223333/eu-west-1/f1",
            "0.1 eventbridge 999999999999/us-east-1/f2",
            "0.2 export 111122223333/eu-west-1/f1",
        ],
    );
}

#[test]
fn pages_and_empty_pages() {
    check(
        format!(r#"{{"Findings":[{BARE},{BARE}],"NextToken":""}}"#),
        &[
            "0.0 get-findings 111122223333/eu-west-1/f1",
            "0.1 get-findings 111122223333/eu-west-1/f1",
        ],
    );
    check(
        format!(r#"{{"nextToken":"x","findings":[{BARE}]}}"#),
        &["0.0 rest 111122223333/eu-west-1/f1"],
    );
    check(
        format!(r#"{{"findings":{BARE}}}"#),
        &["0.0 rest 111122223333/eu-west-1/f1"],
    );
    check(
        format!(r#"{{"status_code":200,"data":{{"Findings":[{BARE}]}}}}"#),
        &["0.0 get-findings 111122223333/eu-west-1/f1"],
    );
    check(r#"{"findings":[]}"#, &["0.0 skipped"]);
    check("[]\n{\"Records\":[]}", &["0.0 skipped", "3.0 skipped"]);
    check(
        r#"{"findings":[1,"x"]}"#,
        &[
            r#"0.0 reject "1": expected an object"#,
            r#"0.1 reject "\"x\"": expected an object"#,
        ],
    );
}

#[test]
fn messages_in_sns_sqs_and_cloudwatch_logs() {
    let sns = format!(
        r#"{{"Records":[{{"Sns":{{"Type":"Notification","Message":{}}}}},{{"Sns":{{"Message":"hello"}}}}]}}"#,
        quoted(EVENT)
    );
    check(
        &sns,
        &[
            "0.0 sns/eventbridge 999999999999/us-east-1/f2",
            r#"0.1 reject "hello": expected `{` or `[` at byte 0"#,
        ],
    );
    let notification = format!(
        r#"{{"Type":"Notification","TopicArn":"t","Message":{}}}"#,
        quoted(BARE)
    );
    check(&notification, &["0.0 sns/export 111122223333/eu-west-1/f1"]);
    let sqs = format!(
        r#"{{"Records":[{{"body":{}}},{{"body":{}}}]}}"#,
        quoted(&notification),
        quoted(EVENT)
    );
    check(
        &sqs,
        &[
            "0.0 sns/export 111122223333/eu-west-1/f1",
            "0.1 eventbridge 999999999999/us-east-1/f2",
        ],
    );
    check(
        r#"{"Type":"SubscriptionConfirmation","Message":"You have chosen","TopicArn":"t"}"#,
        &["0.0 skipped"],
    );
    let logs = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{{"id":"1","timestamp":1,"message":{0}}},{{"id":"2","message":{0}}}]}}"#,
        quoted(EVENT)
    );
    let both = [
        "0.0 cloudwatch/eventbridge 999999999999/us-east-1/f2",
        "0.1 cloudwatch/eventbridge 999999999999/us-east-1/f2",
    ];
    check(&logs, &both);
    check(gzip(logs.as_bytes()), &both);
    check(
        format!(
            r#"{{"awslogs":{{"data":"{}"}}}}"#,
            base64(&gzip(logs.as_bytes()))
        ),
        &both,
    );
    check(
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE"}]}"#,
        &["0.0 skipped"],
    );
    let kinesis = format!(
        r#"{{"Records":[{{"kinesis":{{"data":"{}"}}}}]}}"#,
        base64(EVENT.as_bytes())
    );
    check(&kinesis, &["0.0 eventbridge 999999999999/us-east-1/f2"]);
    // A finding may have a member called `message` or `data`: that makes it no envelope.
    let lookalike = BARE.replacen('{', r#"{"message":"{}","data":{"id":"x"},"#, 1);
    check(&lookalike, &[F1]);
}

#[test]
fn gzip_of_anything_also_in_parts() {
    check(gzip(BARE.as_bytes()), &[F1]);
    check(gzip(&gzip(BARE.as_bytes())), &[F1]);
    check(gzip(b""), &["0.0 skipped"]);
    // A document may go across members; offsets are those of the unpacked text.
    let (head, tail) = BARE.split_at(20);
    let parts = [
        gzip(head.as_bytes()),
        gzip(tail.as_bytes()),
        gzip(format!("\n{BARE}").as_bytes()),
    ]
    .concat();
    check(
        &parts,
        &[
            F1,
            &format!("{}.0 export 111122223333/eu-west-1/f1", BARE.len() + 1),
        ],
    );
    let mixed = [
        BARE.as_bytes(),
        b"\n",
        &gzip(BARE.as_bytes()),
        BARE.as_bytes(),
    ]
    .concat();
    let second = BARE.len() + 1;
    check(
        &mixed,
        &[
            F1,
            &format!("{second}.0 export 111122223333/eu-west-1/f1"),
            &format!("{}.0 export 111122223333/eu-west-1/f1", second + BARE.len()),
        ],
    );
}

#[test]
fn broken_gzip_is_one_reject_and_what_follows_is_read() {
    let mut packed = gzip(&BARE.repeat(20).into_bytes());
    packed.truncate(packed.len() - 9);
    let stream = [packed.as_slice(), b"\n", BARE.as_bytes()].concat();
    let lines = read(&stream);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("gzip: broken after"), "{}", lines[0]);
    assert_eq!(
        lines[1],
        format!("{}.0 export 111122223333/eu-west-1/f1", packed.len() + 1)
    );
}

#[test]
fn a_bomb_is_rejected() {
    let bomb = gzip(&vec![b' '; 257 << 20]);
    let lines = read(&bomb);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].ends_with("gzip: unpacks to more than 268435456 bytes"),
        "{}",
        lines[0]
    );
}

/// Failed unpacking counts too, and a document without line breaks is not searched from its start again and again.
#[test]
fn hostile_input_costs_no_more_than_its_size() {
    let mut broken = gzip(&vec![b' '; 200 << 20]);
    let end = broken.len() - 1;
    broken[end] ^= 1;
    let lines = read(
        &[
            broken.as_slice(),
            b"\n{\"\":0}",
            &broken,
            b"\n{\"\":0}",
            &broken,
        ]
        .concat(),
    );
    let reasons: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.rsplit_once(": gzip: "))
        .map(|(_, why)| why)
        .collect();
    assert_eq!(
        reasons,
        [
            "broken after 209715200 unpacked bytes",
            "unpacks to more than 268435456 bytes",
            "unpacks to more than 268435456 bytes"
        ]
    );
    assert_eq!(read("{\"a\":x}".repeat(200_000).as_bytes()).len(), 200_000);
}

#[test]
fn wrapping_without_end_is_rejected() {
    let mut text = BARE.to_owned();
    for _ in 0..9 {
        text = format!(r#"{{"Records":[{{"body":{}}}]}}"#, quoted(&text));
    }
    let lines = read(text.as_bytes());
    assert!(
        lines.len() == 1 && lines[0].ends_with("wrapped too deep"),
        "{lines:?}"
    );
}

#[test]
fn events_that_are_no_findings_are_skipped() {
    for event in [
        r#"{"source":"aws.guardduty","detail-type":"AWS API Call via CloudTrail","detail":{"eventID":"x","id":"y","type":"z"}}"#,
        r#"{"source":"aws.guardduty","detail-type":"GuardDuty Malware Protection Object Scan Result","detail":{"scanStatus":"COMPLETED"}}"#,
        r#"{"detail":{"resourceType":"EKS"},"source":"aws.guardduty"}"#,
        r#"{"ProductArn":"arn:aws:securityhub:us-east-1::product/aws/inspector","AwsAccountId":"1","Id":"x","Types":[]}"#,
        r#"{"detail-type":"Security Hub Findings - Imported","detail":{"findings":[{"ProductArn":"arn:aws:securityhub:us-east-1::product/prowler/prowler","Id":"x"}]}}"#,
        r#"{"class_uid":2004,"metadata":{"product":{"name":"Inspector"}},"finding_info":{"uid":"x"}}"#,
    ] {
        check(event, &["0.0 skipped"]);
    }
}

#[test]
fn what_has_no_identity_is_rejected_with_its_envelope() {
    check(
        "{}",
        &[r#"0.0 reject "{}": no finding: neither `id`, `arn` nor `type`"#],
    );
    check(
        r#"{"hello":"world"}"#,
        &[r#"0.0 reject "{\"hello\":\"world\"}": no finding: neither `id`, `arn` nor `type`"#],
    );
    for (document, why) in [
        (
            r#"{"id":"x","type":"t","region":"r"}"#,
            "a finding without identity: no account in `accountId`, `arn` or envelope",
        ),
        (
            r#"{"id":"x","type":"t","accountId":"1"}"#,
            "a finding without identity: no Region in `region`, `arn` or envelope",
        ),
        (
            r#"{"type":"t","accountId":"1","region":"r"}"#,
            "a finding without identity: neither `id` nor `arn`",
        ),
        (
            r#"{"detail-type":"GuardDuty Finding","id":"event","detail":{"type":"t","accountId":"1","region":"r"}}"#,
            "a finding without identity: neither `id` nor `arn`",
        ),
        (
            r#"{"id":"","accountId":null,"type":"t"}"#,
            "a finding without identity: neither `id` nor `arn`",
        ),
    ] {
        check(document, &[&format!("0.0 reject {document:?}: {why}")]);
    }
}

/// Fixtures that AWS and others published lack an account or an id; what they are is plain all the same.
#[test]
fn a_trimmed_finding_is_a_row_with_what_it_knows() {
    check(
        r#"{"id":"x","type":"t","service":{"count":1}}"#,
        &["0.0 export //x"],
    );
    let without_id = r#"{"type":"t","service":{"detectorId":"d"}}"#;
    let lines = read(without_id.as_bytes());
    assert!(lines[0].starts_with("0.0 export //sha256-"), "{lines:?}");
    assert_ne!(read(without_id.replace("\"t\"", "\"u\"").as_bytes()), lines);
}

#[test]
fn identity_falls_back_to_arn_and_envelope() {
    let arn = r#""arn":"arn:aws-cn:guardduty:cn-north-1:012345678901:detector/d1/finding/f9""#;
    check(
        format!("{{{arn}}}"),
        &["0.0 export 012345678901/cn-north-1/f9"],
    );
    check(
        format!(r#"{{"account":"9","region":"r","detail":{{{arn},"accountId":"7"}}}}"#),
        &["0.0 eventbridge 7/cn-north-1/f9"],
    );
    check(
        r#"{"detail":{"id":"x","type":"t"},"region":"r","account":"9","source":"aws.guardduty"}"#,
        &["0.0 eventbridge 9/r/x"],
    );
    check(
        r#"{"AccountId":"1","Region":"r","Id":"x"}"#,
        &["0.0 console 1/r/x"],
    );
    check(
        r#"{"accountid":57372331974,"region":"r","id":"x"}"#,
        &["0.0 athena 057372331974/r/x"],
    );
    check(
        r#"{"detail":{"AccountId":"1","Region":"r","Id":"x","Type":"t"}}"#,
        &["0.0 eventbridge-pascal 1/r/x"],
    );
}

#[test]
fn broken_documents_do_not_take_good_ones_along() {
    let at = |offset: usize| format!("{offset}.0 export 111122223333/eu-west-1/f1");
    // Cut off in the middle, then a line.
    let cut = r#"{"accountId":"1","resource":{"a":[1,2"#;
    check(
        format!("{BARE}\n{cut}\n{BARE}"),
        &[
            F1,
            &format!(
                "{}.0 reject {:?}: not JSON: expected `,` or `]` at byte {}",
                BARE.len() + 1,
                cut,
                cut.len() + 1
            ),
            &at(BARE.len() + cut.len() + 2),
        ],
    );
    // Without line breaks: after `}` and before `{"`.
    check(
        format!("{{\"a\":tru}}{BARE}"),
        &[
            r#"0.0 reject "{\"a\":tru}": not JSON: expected a value at byte 5"#,
            &at(9),
        ],
    );
    // A pretty document is rejected as a whole, its inner lines are not taken for documents.
    let pretty = "{\n  \"Findings\": [\n  {\n    \"Id\": oops\n  }\n  ]\n}\n";
    check(
        format!("{pretty}{BARE}"),
        &[
            &format!(
                "0.0 reject {:?}: not JSON: expected a value at byte 32",
                pretty.trim_end()
            ),
            &at(pretty.len()),
        ],
    );
    check(
        format!("hello\n{BARE}"),
        &[
            "0.0 reject \"hello\": expected `{` or `[` at byte 0",
            &at(6),
        ],
    );
    check(
        format!("{BARE}\nhello"),
        &[
            F1,
            &format!(
                "{}.0 reject \"hello\": expected `{{` or `[` at byte 0",
                BARE.len() + 1
            ),
        ],
    );
    check(
        r#"{"a":1"#,
        &[r#"0.0 reject "{\"a\":1": not JSON: the text ends too early at byte 6"#],
    );
}

#[test]
fn invalid_utf8_spoils_its_own_document_only() {
    let broken = b"{\"id\":\"\xff\"}\n";
    let stream = [
        BARE.as_bytes(),
        b"\n",
        broken,
        BARE.as_bytes(),
        b"\n",
        broken,
        BARE.as_bytes(),
    ]
    .concat();
    let lines = read(&stream);
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(
        lines[1].ends_with("not JSON: invalid UTF-8 at byte 7")
            && lines[3].ends_with("not JSON: invalid UTF-8 at byte 7")
    );
    assert_eq!(lines.iter().filter(|line| line.contains("f1")).count(), 3);
}

#[test]
fn too_deep_is_rejected_and_large_is_not() {
    let deep = "[".repeat(1_000_000);
    assert!(read(deep.as_bytes())[0].ends_with("nested too deep at byte 127"));
    let large = BARE.replacen(
        '{',
        &format!(r#"{{"description":"{}","#, "x".repeat(10 << 20)),
        1,
    );
    check(&large, &[F1]);
}

#[test]
fn the_boundary_is_before_the_last_line_that_opens() {
    for (text, expected) in [
        ("", None),
        ("{}", None),
        ("{}\n", None),
        ("{}\n{", Some(3)),
        ("{}\n{}\n{}", Some(6)),
        ("{} \r\n\n  {}", Some(6)),
        ("{\n \"a\": [\n  {},\n  {}\n ]\n}", None),
        ("{}{}", None),
        ("[]\n[]", None),
        ("\n\n\n", None),
        ("{}\n\n\n", None),
    ] {
        assert_eq!(boundary(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(boundary(&gzip(b"{}\n{}")), None);
}
