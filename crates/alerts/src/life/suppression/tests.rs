//! Suppression files, good and bad, and what they hide.

use finding::Label;

use super::Suppression;
use crate::Rule;

const NOW: i64 = 1_795_255_200_000_000; // 2026-11-21T10:00:00Z

fn parse(text: &str) -> Result<Vec<Suppression>, String> {
    Suppression::parse("s.yml", text, NOW).map_err(|error| error.to_string())
}

fn one(body: &str) -> Suppression {
    let rest = "    owner: net-team\n    reason: our own exit\n    expires: 2026-12-31\n";
    parse(&format!("suppressions:\n  - id: x\n{body}{rest}"))
        .unwrap()
        .remove(0)
}

#[test]
fn a_file_as_it_should_be() {
    let text = "\
# What we know.
suppressions:
  - id: office-vpn
    rules: [burst_*, one_remote_ip_many_accounts]
    match:
      remote_ip: [203.0.113.0/24, 198.51.100.7]
      account_id: \"1111*\"
      severity: High
    owner: net-team
    reason: Our own VPN exit, NET-42
    expires: 2026-12-31
    created: 2026-11-01T08:00:00Z
  - id: scanner
    rules: noisy
    owner: ada
    reason: weekly scan
    expires: 2025-01-01 08:00
";
    let read = parse(text).unwrap();
    let [vpn, scanner] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(
        (vpn.id.as_str(), vpn.owner.as_str(), vpn.file.as_str()),
        ("office-vpn", "net-team", "s.yml")
    );
    assert_eq!(
        vpn.scope(),
        "rules burst_*, one_remote_ip_many_accounts; remote_ip 203.0.113.0/24, 198.51.100.7; account_id 1111*; severity high"
    );
    assert_eq!(
        (vpn.expires, vpn.created.is_some()),
        (1_798_675_200_000_000, true)
    );
    assert!(vpn.is_active(NOW) && vpn.is_active(vpn.expires - 1) && !vpn.is_active(vpn.expires));
    assert!(
        !scanner.is_active(NOW),
        "expired ones are read and hide nothing"
    );
    assert_eq!(parse("suppressions:\n").unwrap(), []);
}

#[test]
fn what_is_hidden() {
    let owned = |list: &[&str]| {
        list.iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let hides = |s: &Suppression, rule: &str, group: &[(&str, Option<&str>)], accounts: &[&str]| {
        let group: Vec<_> = group
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
            .collect();
        s.hides(
            rule,
            Label::High,
            &group,
            &owned(accounts),
            &owned(&["eu-west-1"]),
        )
    };
    let ip = [("remote_ip", Some("203.0.113.9"))];
    let vpn = one("    match: {remote_ip: 203.0.113.0/24}\n");
    assert!(hides(&vpn, "any", &ip, &["1"]));
    assert!(!hides(
        &vpn,
        "any",
        &[("remote_ip", Some("203.0.114.9"))],
        &["1"]
    ));
    assert!(
        !hides(&vpn, "any", &[("remote_ip", None)], &["1"]),
        "null is no value"
    );
    assert!(
        !hides(&vpn, "any", &[], &["1"]),
        "a group without the column is not meant"
    );
    assert!(
        !hides(&vpn, "stream_gap", &ip, &["1"]),
        "gaps are never hidden"
    );

    let accounts = one("    match: {account_id: [\"1111*\", \"2\"]}\n");
    assert!(hides(&accounts, "any", &[], &["11112", "2"]));
    assert!(
        !hides(&accounts, "any", &[], &["11112", "3"]),
        "all accounts must fit"
    );
    assert!(
        !hides(&accounts, "any", &[], &[]),
        "an alert of no account is not meant"
    );

    let several = one("    rules: a*\n    match: {region: eu-*, severity: [high, low]}\n");
    assert!(hides(&several, "ab", &[], &["1"]));
    assert!(!hides(&several, "b", &[], &["1"]));
    assert!(!several.hides("ab", Label::Medium, &[], &[], &owned(&["eu-west-1"])));
    assert!(!several.hides(
        "ab",
        Label::High,
        &[],
        &[],
        &owned(&["eu-west-1", "us-east-1"])
    ));
}

#[test]
fn what_can_hide_nothing_is_said() {
    let rule = |id: &str, group_by: &str| {
        let header =
            format!("title: t\nseverity: low\ngroup_by: {group_by}\nthreshold: 1\nwindow: 1m");
        Rule::parse(id, &format!("/*\n{header}\n*/\nSELECT * FROM observations")).unwrap()
    };
    let rules = [rule("a", "[remote_ip]"), rule("b", "[type]")];
    let said = |body: &str| one(body).complaint(&rules);
    assert_eq!(said("    match: {remote_ip: 1.2.3.4}\n"), None);
    assert_eq!(said("    match: {account_id: \"1\"}\n"), None);
    assert_eq!(
        said("    rules: c\n").unwrap(),
        "suppression x: there is no such rule"
    );
    assert_eq!(
        said("    rules: b\n    match: {remote_ip: 1.2.3.4}\n").unwrap(),
        "suppression x: none of its rules groups by remote_ip"
    );
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let text = "\
suppressions:
  - id: a b
    rule: x
    match:
      remote_ip: 10.0.0.1/8
      account_id: 111122223333
      severity: hihg
    owner:
    expires: 2028-01-01
  - id: two
    rules: []
    owner: ada
    owner: bob
    reason: r
    expires: soon
  - id: all
    owner: ada
    reason: r
    expires: 2026-12-31
  - just text
  - id: all
    rules: '*'
    match: remote_ip
    reason: [r]
supressions: []
";
    let told = parse(text).unwrap_err();
    let expected = [
        "s.yml:2:5: reason: missing; say why it is harmless",
        "s.yml:2:9: id: `a b` is no id: letters, digits, `_`, `-` and `.`, at most 128 of them",
        "s.yml:3:5: rule: there is no such field; did you mean `rules`?",
        "s.yml:5:18: match: remote_ip: `10.0.0.1/8` has address bits beyond its length; is it the address or the network that is meant?",
        "s.yml:6:19: match: account_id: must be text; put it in quotes",
        "s.yml:7:17: match: severity: `hihg` is no severity; did you mean `high`?",
        "s.yml:9:14: expires: is more than a year ahead; look at it again by then",
        "s.yml:11:12: rules: the list is empty",
        "s.yml:13:5: owner: given twice",
        "s.yml:15:14: expires: `soon` is no time; write it like 2026-12-31 or 2026-12-31T18:00:00Z",
        "s.yml:16:5: match: missing; an entry without `match` and `rules` would hide everything",
        "s.yml:20:5: suppressions: every entry is lines of `field: value`, not the text `just text`",
        "s.yml:21:5: expires: missing; nothing is harmless for ever, at most a year from now",
        "s.yml:21:5: owner: missing; say who answers for it",
        "s.yml:22:12: rules: `*` fits everything; leave the line out",
        "s.yml:23:12: match: must be lines of `column: value`, not the text `remote_ip`",
        "s.yml:24:13: reason: must be text, not a list",
        "s.yml:25:1: supressions: there is no such field; did you mean `suppressions`?",
    ];
    let told: Vec<&str> = told.lines().collect();
    for line in expected {
        assert!(told.contains(&line), "{line}\n{told:#?}");
    }
    assert_eq!(
        told.len(),
        expected.len() + 1,
        "owner of the first is empty: {told:#?}"
    );
    assert!(parse("").unwrap_err().contains("1:1"));
    assert!(parse("- a\n").is_err());
    let twice = "    rules: a\n    owner: a\n    reason: r\n    expires: 2026-12-31\n";
    let twice = format!("suppressions:\n  - id: x\n{twice}  - id: x\n{twice}");
    assert_eq!(
        parse(&twice).unwrap_err(),
        "s.yml:7:9: id: `x` is there twice"
    );
}

#[test]
fn the_example_is_read() {
    let text = include_str!("../../../../../examples/suppressions/office.yml");
    let read = Suppression::parse("office.yml", text, NOW).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].scope(), "all rules; account_id 111122223333, 4444*");
}
