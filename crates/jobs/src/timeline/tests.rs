//! The built-in rules keep what their timelines say, timelines say what is wrong with themselves, and a test can fail.

use alerts::Rule;

use super::{Case, Stage, Suite, Timeline, junit};
use crate::{Library, Source, rules};

const RULE: &str = "/*\ntitle: t\nseverity: low\ngroup_by: [remote_ip]\ncount: findings\nthreshold: 2\nwindow: 10m\n*/\n\
                    SELECT * FROM observations WHERE remote_ip IS NOT NULL AND NOT sample";

async fn play(rule: &str, tests: &str) -> Vec<String> {
    let rule = Rule::parse("r", rule).unwrap();
    let text = format!("rule: r\ndefaults: {{template: port_scan}}\ntests:\n{tests}");
    let timeline = Timeline::parse("r.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    let stage = Stage::open(&Library::built_in()).await.unwrap();
    let mut told = Vec::new();
    for test in &timeline.tests {
        told.extend(stage.play(&rule, &timeline, test).await.unwrap());
    }
    told
}

/// What is other than a file of the library says.
async fn hold(stage: &Stage, source: &Source) -> Vec<String> {
    let timeline =
        Timeline::parse(&source.file, &source.text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        timeline.rule, source.name,
        "a timeline is called as its rule"
    );
    let known = rules::load(&Library::built_in());
    let rule = known
        .iter()
        .filter_map(|file| file.rule.as_ref().ok())
        .find(|rule| rule.id == timeline.rule)
        .unwrap_or_else(|| panic!("no rule {}", timeline.rule));
    let mut told = Vec::new();
    for test in &timeline.tests {
        for difference in stage.play(rule, &timeline, test).await.unwrap() {
            told.push(format!("{}: {}: {difference}", timeline.rule, test.name));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_built_in_timeline_holds() {
    let sources: Vec<Source> = Library::built_in().timelines().cloned().collect();
    let parts = [0, 1].map(|part| {
        let sources = sources.clone();
        tokio::spawn(async move {
            let stage = Stage::open(&Library::built_in()).await.unwrap();
            let mut told = Vec::new();
            for source in sources.iter().skip(part).step_by(2) {
                told.extend(hold(&stage, source).await);
            }
            told
        })
    });
    for part in parts {
        let told = part.await.unwrap();
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

#[tokio::test]
async fn differences_are_told() {
    for (tests, expected) in [
        (
            "- {name: a, events: [{at: 0, every: 1m, times: 3}], expect: []}",
            vec![
                "not expected: remote_ip=198.51.100.7 at 1m through 2m, count 3, 3 findings, accounts [111122223333]",
            ],
        ),
        (
            "- {name: a, events: [{at: 0}], expect: [{group: {remote_ip: 198.51.100.7}, at: 5m}]}",
            vec!["remote_ip=198.51.100.7: expected an alert at 5m, found none"],
        ),
        (
            "- {name: a, events: [{at: 0, every: 1m, times: 3}], expect: [{at: 2m, through: 2m, count: 2, matches: 1, findings: 1, \
             accounts: [\"1\"], regions: 2, severity: high, max_severity: high, state: merged}]}",
            vec![
                "remote_ip=198.51.100.7: at: expected 2m, found 1m, count: expected 2, found 3, matches: expected 1, found 2, \
                 findings: expected 1, found 3, accounts: expected [1], found [111122223333], regions: expected 2, found 1, \
                 severity: expected high, found low, max_severity: expected high, found low, state: expected merged, found open",
            ],
        ),
        (
            "- {name: a, events: [{at: 0, every: 1m, times: 2}], expect: [{group: {remote_ip: 192.0.2.1}, at: 1m}]}",
            vec![
                "remote_ip=192.0.2.1: expected an alert at 1m, found none",
                "not expected: remote_ip=198.51.100.7 at 1m through 1m, count 2, 2 findings, accounts [111122223333]",
            ],
        ),
        (
            "- {name: a, events: [{at: 0, every: 1m, times: 2}], expect: [{group: {remote_ip: 198.51.100.7}, at: 1m, count: 2}]}",
            vec![],
        ),
    ] {
        assert_eq!(play(RULE, tests).await, expected, "{tests}");
    }
}

#[tokio::test]
async fn two_alerts_that_become_one_agree_with_all_at_once() {
    // The finding at 10m arrives last and joins what were two alerts by then.
    let tests = "- name: a\n  events: [{at: [0, 1m, 19m, 20m]}, {at: 10m, arrive: 1h}]\n  \
                 expect: [{at: 1m, through: 20m, findings: 5, state: open}]";
    assert_eq!(play(RULE, tests).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_rule_that_depends_on_the_order_of_arrival_is_found_out() {
    // What arrived when is no part of a finding: such a rule cannot hold in both ways of playing.
    let rule = RULE.replace(
        "NOT sample",
        "NOT sample AND ingested_at < TIMESTAMP '2026-01-05T10:00:00Z'",
    );
    let tests = "- {name: a, events: [{at: 0, arrive: 30m, id: x, duplicate: 1}, {at: 1m, arrive: 40m}, {at: 0, arrive: 3h, id: x, count: 1}], expect: []}";
    let told = play(&rule, tests).await;
    assert!(
        told.iter()
            .any(|line| line.starts_with("one commit after the other leads to")),
        "{told:?}"
    );
}

/// Mistakes of a file, one a line, without its name.
fn mistakes(text: &str) -> String {
    match Timeline::parse("t.yaml", text) {
        Ok(_) => String::new(),
        Err(error) => error.to_string().replace("t.yaml:", ""),
    }
}

#[test]
fn what_is_wrong_with_a_timeline_is_pointed_at() {
    let test =
        |event: &str| format!("rule: r\ntests:\n- name: a\n  events:\n  - {event}\n  expect: []\n");
    let mut wrong = Vec::new();
    for (text, expected) in [
        (
            "rule: r\ntest: []\n",
            "1:1: tests: missing; a list of `name`, `events` and `expect`\n2:1: test: a timeline has no such field; did you mean `tests`?",
        ),
        (
            "rule: r\nstart: soon\ntests: []\n",
            "2:8: start: `soon` is no time like 2026-11-02T10:00:00Z",
        ),
        (
            "rule: r\ntests:\n- name: a\n  event: []\n  expect: []\n",
            "3:3: events: missing; without findings nothing can happen\n4:3: event: a test has no such field; did you mean `events`?",
        ),
        (
            &test("{at: 5m, template: port_scn}"),
            "5:24: type: `port_scn` is no type such as Recon:EC2/Portscan; did you mean `port_scan`?",
        ),
        (
            &test("{at: 5, template: port_scan}"),
            "5:10: at: `5` has no unit; write it like 10m, 90s, 1h 30m or 1d, counted from `start`",
        ),
        (
            &test("{at: 5m, template: port_scan, remote_pi: 192.0.2.1}"),
            "5:35: remote_pi: an event has no such field, findings no such column; did you mean `remote_ip`?",
        ),
        (
            &test("{at: 5m, template: dns_exfiltration, remote_ip: 192.0.2.1}"),
            "5:53: remote_ip: a finding of type Trojan:EC2/DNSDataExfiltration does not carry it",
        ),
        (
            &test("{at: 5m, template: port_scan, blocked: perhaps}"),
            "5:44: blocked: of a finding of type Recon:EC2/Portscan the decoder reads nothing",
        ),
        (
            &test("{at: 5m, arrive: 1m, template: port_scan}"),
            "5:22: arrive: before it happens",
        ),
        (
            &test("{at: 5m}"),
            "5:5: type: missing; a finding type, or `template: NAME`",
        ),
        (
            &test("{at: 5m, template: port_scan, type: \"Recon:EC2/Portscan\"}"),
            "5:41: type: give either a type or a template",
        ),
        (
            &test("{at: [0, 1m], template: port_scan, region: [a, b, c]}"),
            "5:5: a field lists 3 values, and there are 2 findings",
        ),
        (
            &test("{at: 0, template: port_scan, account_id: 12}"),
            "5:46: account_id: put it in quotes, its zeros are lost",
        ),
        (
            &test("{at: 0, template: port_scan, action_type: DNS}"),
            "5:47: action_type: `DNS` is none of NETWORK_CONNECTION, AWS_API_CALL, PORT_PROBE, DNS_REQUEST, KUBERNETES_API_CALL, RDS_LOGIN_ATTEMPT, NONE",
        ),
        (
            &test("{at: 0, at: 1m, template: port_scan}"),
            "5:13: at: given twice",
        ),
        (
            "rule: r\ntests:\n- name: a\n  events: [{at: 0, template: port_scan}]\n  expect: [{cuont: 1, severity: hihg, state: closed}]\n",
            "5:13: cuont: an expected alert has no such field; did you mean `count`?\n5:33: severity: `hihg` is none of informational, low, medium, high, critical; did you mean `high`?\n5:46: state: `closed` is none of open, acknowledged, snoozed, resolved, merged, withdrawn",
        ),
        ("rule: r\ntests: [\n", "2:8: unclosed bracket '['"),
    ] {
        let told = mistakes(text);
        if told != expected {
            wrong.push(format!("{text}expected {expected}\nfound    {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn columns_and_paths_reach_the_rule() {
    let rule = |filter: &str| {
        RULE.replace("threshold: 2", "threshold: 1")
            .replace("remote_ip IS NOT NULL", filter)
            .replace("group_by: [remote_ip]", "group_by: []")
    };
    for (event, filter) in [
        (
            "template: port_probe, remote_ips: [192.0.2.1, 192.0.2.2]",
            "remote_ip = '192.0.2.2'",
        ),
        (
            "template: attack_sequence, remote_ip: 192.0.2.9, country: JP, user_name: eve",
            "remote_ip = '192.0.2.9' AND remote_country = 'JP' AND user_name = 'eve'",
        ),
        (
            "template: rds_login, user_name: root, db_instance: db-1",
            "user_name = 'root' AND db_instance = 'db-1'",
        ),
        (
            "type: \"Discovery:Kubernetes/TorIPCaller\", cluster_name: eks-1, user_name: kate",
            "cluster_name = 'eks-1' AND user_name = 'kate'",
        ),
        (
            "template: container_escape, resource_type: EKSCluster, cluster_name: eks-1",
            "resource_type = 'EKSCluster' AND resource_id = 'eks-1'",
        ),
        (
            "template: port_scan, asn: 64500, asn_org: Example, remote_port: 4444, blocked: true",
            "remote_asn = 64500 AND remote_port = 4444 AND blocked",
        ),
        (
            "template: port_scan, threat_lists: [ProofPoint, Mine]",
            "array_has(threat_lists, 'Mine')",
        ),
        (
            "template: port_scan, service.additionalInfo.threatListName: Mine",
            "array_has(threat_lists, 'Mine')",
        ),
        (
            "template: tor_api_call, api: PutObject, error_code: AccessDenied, service.action.awsApiCallAction.callerType: Domain",
            "api = 'PutObject' AND error_code = 'AccessDenied' AND (raw->'service'->'action'->'awsApiCallAction'->>'callerType') = 'Domain'",
        ),
        (
            "template: port_scan, updated_at: 4h, id: same, count: 7",
            "finding_id = 'same' AND count = 7 AND updated_at = TIMESTAMP '2026-01-05T13:00:00Z'",
        ),
    ] {
        let tests = format!(
            "- {{name: a, events: [{{at: 0, {event}}}], expect: [{{at: 0, findings: 1}}]}}"
        );
        let text = format!("rule: r\ntests:\n{tests}");
        let timeline = Timeline::parse("t", &text).unwrap_or_else(|error| panic!("{error}"));
        let stage = Stage::open(&Library::built_in()).await.unwrap();
        let rule = Rule::parse("r", &rule(filter)).unwrap();
        let told = stage.play(&rule, &timeline, &timeline.tests[0]).await;
        let told = told.unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(told, Vec::<String>::new(), "{event}");
    }
}

#[test]
fn junit_is_xml_that_a_parser_reads() {
    let hostile = "a<b>&\"'\u{1b}[31m\nnext ]]>\u{ffff}";
    let case = |failures: &[&str]| Case {
        name: hostile.to_owned(),
        line: 3,
        took: std::time::Duration::from_millis(1_500),
        failures: failures.iter().map(ToString::to_string).collect(),
    };
    let xml = junit(&[Suite {
        name: "rule".to_owned(),
        file: "tests/rule.yaml".to_owned(),
        cases: vec![case(&[]), case(&[hostile, "second"])],
    }]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &xml).unwrap();
    let script = "import sys, xml.etree.ElementTree as x\n\
                  root = x.parse(sys.argv[1]).getroot()\n\
                  suite = root[0]\n\
                  print(root.tag, root.get('tests'), root.get('failures'), suite.get('name'), suite.get('time'), len(suite), \
                  len(suite[0]), suite[1][0].tag, suite[1].get('line'))\n\
                  print(ascii(suite[0].get('name')))\n\
                  print(ascii(suite[1][0].text))\n";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(file.path())
        .output()
        .expect("python3 is there");
    let told = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        told,
        "testsuites 2 1 rule 3.000 2 0 failure 3\n\
         'a<b>&\"\\'\\ufffd[31m\\nnext ]]>\\ufffd'\n\
         'a<b>&\"\\'\\ufffd[31m\\nnext ]]>\\ufffd\\nsecond'\n",
        "{errors}\n{xml}"
    );
}
