//! Single columns: wrong types, odd spellings and what each shape hides where.

use finding::{Decoded, Finding, Label, decode};
use serde_json::{Value, json};

/// The one finding of a document.
#[track_caller]
fn one(document: &str) -> Finding<'static> {
    let mut all = Vec::new();
    decode(document.as_bytes(), &mut |_, decoded| match decoded {
        Decoded::Finding(finding) => all.push(finding.into_owned()),
        other => panic!("{other:?} of {document}"),
    });
    assert_eq!(all.len(), 1, "{document}");
    all.remove(0)
}

/// A bare finding with these members beside its identity.
fn with(members: Value) -> Finding<'static> {
    let mut finding =
        json!({"accountId": "111122223333", "region": "eu-west-1", "id": "f1", "type": "t"});
    finding
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    one(&finding.to_string())
}

fn remote(details: Value) -> Finding<'static> {
    with(json!({"service": {"action": {"networkConnectionAction": {"remoteIpDetails": details}}}}))
}

/// The text of a column.
#[track_caller]
fn check<T: std::fmt::Debug>(column: T, expected: &str) {
    assert_eq!(format!("{column:?}"), expected);
}

#[test]
fn numbers_written_as_anything() {
    for (asn, expected) in [
        (json!("16509"), "Some(16509)"),
        (json!(16509), "Some(16509)"),
        (json!(-1), "Some(-1)"),
        (json!("0"), "None"),
        (json!(""), "None"),
        (json!(null), "None"),
        (json!({"number": 1}), "None"),
        (json!([16509, 1]), "Some(16509)"),
        (json!("AS1"), "None"),
    ] {
        check(
            remote(json!({"organization": {"asn": asn}})).remote_asn,
            expected,
        );
    }
    for (count, expected) in [
        ("20", "Some(20)"),
        ("\"20\"", "Some(20)"),
        ("2e1", "Some(20)"),
        ("1e999", "None"),
        ("99999999999999999999", "None"),
        ("true", "None"),
        ("[]", "None"),
    ] {
        let document = format!(
            r#"{{"accountId":"1","region":"r","id":"x","service":{{"count":{count},"archived":"FALSE"}}}}"#
        );
        check(one(&document).count, expected);
        check(one(&document).archived, "Some(false)");
    }
    let port = |port: Value| {
        with(
            json!({"service": {"action": {"networkConnectionAction": {"remotePortDetails": {"port": port}}}}}),
        )
    };
    check(port(json!("38420")).remote_port, "Some(38420)");
    check(port(json!(1u64 << 40)).remote_port, "None");
}

#[test]
fn severity_is_a_number_a_word_or_nothing() {
    for (severity, number, label) in [
        (json!(8), Some(8.0), Some(Label::High)),
        (json!(3.95), Some(3.95), Some(Label::Low)),
        (json!("5.0"), Some(5.0), Some(Label::Medium)),
        (json!("HIGH"), None, Some(Label::High)),
        (json!(9), Some(9.0), Some(Label::Critical)),
        (json!(null), None, None),
        (json!({"Label": "HIGH"}), None, None),
    ] {
        let finding = with(json!({"severity": severity}));
        assert_eq!(
            (finding.severity, finding.severity_label),
            (number, label),
            "{severity}"
        );
    }
    check(
        one(r#"{"accountId":"1","region":"r","id":"x","severity":1e999}"#).severity,
        "None",
    );
}

#[test]
fn lists_for_objects_and_objects_for_lists() {
    let finding = with(json!({
        "resource": [{"resourceType": "S3Bucket", "s3BucketDetails": {"name": "b1", "arn": "arn:b1"}}, {"resourceType": "Instance"}],
        "service": {"action": [{"portProbeAction": {"portProbeDetails": {"remoteIpDetails": [{"ipAddressV4": ["1.1.1.1"]}], "localPortDetails": {"port": 22}}}}]},
        "title": ["first", "second"],
        "description": {"text": "no text"},
    }));
    check(&finding.resource_type, r#"Some("S3Bucket")"#);
    check(&finding.bucket_names, r#"["b1"]"#);
    check(&finding.resource_id, r#"Some("arn:b1")"#);
    check(&finding.remote_ips, r#"["1.1.1.1"]"#);
    check(finding.local_port, "Some(22)");
    check(&finding.title, r#"Some("first")"#);
    check(&finding.description, "None");
}

#[test]
fn of_duplicate_keys_the_last_wins() {
    let finding = one(
        r#"{"id":"a","accountId":"1","region":"r","service":{"count":1,"archived":true,"action":{"dnsRequestAction":{"domain":"old"}}},"id":"b","service":{"count":2,"count":3}}"#,
    );
    assert_eq!(
        (
            &*finding.finding_id,
            finding.count,
            finding.archived,
            finding.dns_domain
        ),
        ("b", Some(3), None, None)
    );
}

#[test]
fn places_called_unknown_are_none() {
    let finding = remote(json!({
        "ipAddressV4": "10.0.0.1",
        "country": {},
        "city": {"cityName": ""},
        "organization": {"asn": "0", "asnOrg": "UNKNOWN", "org": "UNKNOWN"},
    }));
    check(
        (
            finding.remote_country,
            finding.remote_city,
            finding.remote_asn,
            finding.remote_asn_org,
        ),
        "(None, None, None, None)",
    );
    check(
        remote(json!({"country": {"countryCode": "DE"}})).remote_country,
        r#"Some("DE")"#,
    );
    check(
        remote(json!({"country": {"countryCode": "DE", "countryName": "Germany"}})).remote_country,
        r#"Some("Germany")"#,
    );
}

#[test]
fn all_remote_addresses_once_and_in_order() {
    let finding = with(
        json!({"service": {"action": {"portProbeAction": {"portProbeDetails": [
            {"remoteIpDetails": {"ipAddressV4": "1.1.1.1", "ipAddressV6": "::1", "country": {"countryName": "A"}}},
            {"remoteIpDetails": {"ipAddressV4": "2.2.2.2", "country": {"countryName": "B"}}, "localPortDetails": {"port": 80}},
            {"remoteIpDetails": {"ipAddressV4": "1.1.1.1"}, "localPortDetails": {"port": 443}},
        ]}}}}),
    );
    check(&finding.remote_ips, r#"["1.1.1.1", "::1", "2.2.2.2"]"#);
    check(finding.remote_ip(), r#"Some("1.1.1.1")"#);
    check(&finding.remote_country, r#"Some("A")"#);
    check(finding.local_port, "Some(80)");
    let many: Vec<Value> = (0..1000)
        .map(|i| json!({"remoteIpDetails": {"ipAddressV4": format!("10.0.{}.{}", i % 7, i % 100)}}))
        .collect();
    let finding =
        with(json!({"service": {"action": {"portProbeAction": {"portProbeDetails": many}}}}));
    assert_eq!(finding.remote_ips.len(), 700);
    assert_eq!(
        &finding.remote_ips[..3],
        ["10.0.0.0", "10.0.1.1", "10.0.2.2"]
    );
    let dns = with(
        json!({"service": {"action": {"actionType": "DNS_REQUEST", "dnsRequestAction": {"domain": "example.com", "protocol": "UDP", "blocked": "false"}}}}),
    );
    check(
        (&dns.remote_ips, &dns.dns_domain, &dns.protocol, dns.blocked),
        r#"([], Some("example.com"), Some("UDP"), Some(false))"#,
    );
}

#[test]
fn an_attack_sequence_fills_its_columns_from_its_parts() {
    let finding = with(json!({
        "resource": {"resourceType": "AttackSequence"},
        "service": {"detection": {"sequence": {
            "actors": [{"user": {"name": "alice", "type": "IAMUser", "credentialUid": "AKIA1"}}, {"user": {"name": "bob"}}],
            "endpoints": [
                {"ip": "1.1.1.1", "location": {"country": "US", "city": "X"}, "autonomousSystem": {"number": 7, "name": "seven"}},
                {"ip": "2.2.2.2", "domain": "evil.example"}, {"ip": "1.1.1.1"},
            ],
            "resources": [{"uid": "arn:r1", "name": "b1", "resourceType": "S3_BUCKET"}, {"uid": "arn:r2", "resourceType": "S3_BUCKET", "name": "b2"}],
            "signals": [{"activities": [{"type": "API_CALL", "api": {"operation": "DeleteTrail", "service": "cloudtrail"}}, {"api": {"operation": "Other", "error": "E"}}]}],
        }}},
    }));
    check(&finding.remote_ips, r#"["1.1.1.1", "2.2.2.2"]"#);
    check(
        (
            &finding.remote_country,
            finding.remote_asn,
            &finding.remote_asn_org,
        ),
        r#"(Some("US"), Some(7), Some("seven"))"#,
    );
    check(
        (
            &finding.user_name,
            &finding.user_type,
            &finding.access_key_id,
        ),
        r#"(Some("alice"), Some("IAMUser"), Some("AKIA1"))"#,
    );
    check(
        (&finding.resource_id, &finding.bucket_names),
        r#"(Some("arn:r1"), ["b1", "b2"])"#,
    );
    check(
        (&finding.api, &finding.service_name, &finding.error_code),
        r#"(Some("DeleteTrail"), Some("cloudtrail"), None)"#,
    );
    check(&finding.dns_domain, r#"Some("evil.example")"#);
}

/// The ten members whose SDK name is not the wire name with a capital (model.md, section 2).
#[test]
fn the_exceptions_of_the_two_spellings() {
    let action = |action: Value| with(json!({"service": {"action": action}}));
    for ips in ["sourceIPs", "SourceIps", "SourceIPs"] {
        check(action(json!({"kubernetesApiCallAction": {"verb": "get", "requestUri": "/api", ips: ["9.9.9.9"]}})).remote_ips, r#"["9.9.9.9"]"#);
    }
    for attributes in ["LoginAttributes", "loginAttributes"] {
        check(action(json!({"rdsLoginAttemptAction": {attributes: [{"user": "admin"}, {"user": "root"}]}})).user_name, r#"Some("admin")"#);
    }
    // Tags and affected resources are named by whoever made them; they are no members of ours.
    let finding = with(
        json!({"service": {"action": {"awsApiCallAction": {"affectedResources": {"api": "x", "AWS::S3::Bucket": "b"}}}}, "resource": {"instanceDetails": {"tags": {"instanceId": "i-tag"}}}}),
    );
    check(
        (finding.api, finding.instance_id, finding.bucket_names),
        "(None, None, [])",
    );
}

#[test]
fn sample_and_threat_lists_wherever_they_are() {
    let info = |info: Value| with(json!({"service": {"additionalInfo": info}}));
    assert!(info(json!({"sample": true})).sample);
    assert!(info(json!({"sample": "true"})).sample);
    assert!(info(json!({"value": "{\"sample\":true}", "type": "default"})).sample);
    assert!(info(json!("{\"sample\":true}")).sample);
    assert!(!info(json!({"value": "{\"sample\":true"})).sample);
    assert!(!info(json!({"value": {"sample": true}})).sample);
    assert!(!info(json!({"sample": false, "value": "{\"sample\":true}"})).sample);
    let finding = with(json!({"service": {
        "evidence": {"threatIntelligenceDetails": [{"threatListName": "L2"}, {"threatListName": "L1"}, {"threatListName": ""}]},
        "additionalInfo": {"threatListName": "L1", "value": "{\"threatListName\":[\"L3\",\"L1\"]}"},
    }}));
    check(finding.threat_lists, r#"["L1", "L3", "L2"]"#);
}

#[test]
fn the_main_resource_is_the_one_the_type_names() {
    let all = json!({
        "accessKeyDetails": {"accessKeyId": "AKIA", "userName": "key-user"},
        "instanceDetails": {"instanceId": "i-1"},
        "s3BucketDetails": [{"name": "b", "arn": "arn:b", "s3ObjectDetails": [{"objectArn": "arn:o"}]}],
        "eksClusterDetails": {"name": "eks", "arn": "arn:eks"},
        "kubernetesDetails": {"kubernetesUserDetails": {"username": "kube-user"}},
        "ecsClusterDetails": {"name": "ecs", "arn": "arn:ecs", "taskDetails": {"containers": [{"image": "img"}]}},
        "containerDetails": {"id": "c1"},
        "lambdaDetails": {"functionName": "fn", "functionArn": "arn:fn"},
        "rdsDbInstanceDetails": {"dbInstanceIdentifier": "db"},
        "rdsDbUserDetails": {"user": "db-user"},
        "ebsVolumeDetails": {"skippedVolumeDetails": [{"volumeArn": "arn:skipped"}], "scannedVolumeDetails": [{"volumeArn": "arn:vol"}]},
    });
    for (kind, id, user) in [
        ("Instance", "i-1", "key-user"),
        ("AccessKey", "AKIA", "key-user"),
        ("S3Bucket", "arn:b", "key-user"),
        ("S3Object", "arn:o", "key-user"),
        ("EKSCluster", "arn:eks", "kube-user"),
        ("ECSCluster", "arn:ecs", "key-user"),
        ("Container", "c1", "key-user"),
        ("Lambda", "arn:fn", "key-user"),
        ("RDSDBInstance", "db", "db-user"),
        ("EBSVolume", "arn:vol", "key-user"),
    ] {
        let mut resource = all.clone();
        resource["resourceType"] = json!(kind);
        let finding = with(json!({"resource": resource}));
        assert_eq!(
            (finding.resource_id.as_deref(), finding.user_name.as_deref()),
            (Some(id), Some(user)),
            "{kind}"
        );
        check(&finding.container_image, r#"Some("img")"#);
    }
    check(with(json!({"resource": {"resourceType": "Novelty", "instanceDetails": {"instanceId": "i-1"}}})).resource_id, r#"Some("i-1")"#);
    check(with(json!({"resource": {"resourceType": "Instance", "accessKeyDetails": {"accessKeyId": "A"}}})).resource_id, "None");
}

#[test]
fn raw_is_the_finding_as_it_came_and_borrows() {
    let detail = "{ \"id\" : \"x\",\t\"type\":\"t\", \"n\": 1.0e0, \"caf\\u00e9\": \"\\/\" }";
    let event = format!(
        "{{\"account\":\"1\",\"region\":\"r\",\"detail\": {detail} , \"source\":\"aws.guardduty\"}}"
    );
    let mut seen = 0;
    decode(event.as_bytes(), &mut |_, decoded| {
        let Decoded::Finding(finding) = decoded else {
            panic!("{decoded:?}")
        };
        assert_eq!(finding.raw, detail);
        assert!(
            event
                .as_bytes()
                .as_ptr_range()
                .contains(&finding.raw.as_ptr()),
            "raw was copied"
        );
        assert!(
            event
                .as_bytes()
                .as_ptr_range()
                .contains(&finding.finding_id.as_ptr()),
            "the id was copied"
        );
        seen += 1;
    });
    assert_eq!(seen, 1);
}

#[test]
fn hostile_text_is_kept_and_harmless() {
    let finding = one(
        "{\"accountId\":\"1\",\"region\":\"r\",\"id\":\"x\\u0000\\ud800\\n\",\"title\":\"\u{202e}<script>\\\"\",\"\\u0074ype\":\"t\"}",
    );
    assert_eq!(
        (&*finding.finding_id, finding.title.as_deref()),
        ("x\0\u{fffd}\n", Some("\u{202e}<script>\""))
    );
    check(finding.finding_type, r#"Some("t")"#);
}

#[test]
fn ocsf_of_security_lake() {
    let uid = "arn:aws:guardduty:eu-west-1:111122223333:detector/d1/finding/f7";
    let document = json!({
        "class_uid": 2004, "severity_id": 4, "severity": "High", "count": 3,
        "metadata": {"product": {"name": "GuardDuty", "uid": "arn:aws:securityhub:eu-west-1::product/aws/guardduty", "feature": {"uid": "arn:aws:guardduty:eu-west-1:111122223333:detector/d1"}}},
        "cloud": {"account": {"uid": "111122223333"}, "region": "eu-west-1", "provider": "AWS"},
        "finding_info": {"uid": uid, "title": "T", "desc": "D", "types": ["TTPs/Discovery/Recon:EC2-Portscan"],
            "created_time": 1700000000000u64, "created_time_dt": "2023-11-14T22:13:20.123456Z", "modified_time": 1700000001000u64,
            "first_seen_time_dt": "2023-11-14T22:13:20Z", "last_seen_time": 1700000002000u64},
        "resources": [{"type": "AwsEc2Instance", "uid": "arn:aws:ec2:eu-west-1:111122223333:instance/i-1", "cloud_partition": "aws"}],
        "evidences": [{"src_endpoint": {"ip": "1.1.1.1", "port": 99, "location": {"country": "DE"}, "autonomous_system": {"number": 7}},
            "api": {"operation": "RunInstances", "service": {"name": "ec2.amazonaws.com"}}, "connection_info": {"direction": "Inbound"},
            "query": {"hostname": "h.example"}, "actor": {"user": {"name": "alice"}}}],
    });
    let f = one(&document.to_string());
    check(
        (
            f.wire_shape.as_str(),
            &f.account_id,
            &f.region,
            &f.finding_id,
        ),
        r#"("ocsf", "111122223333", "eu-west-1", "f7")"#,
    );
    check(
        (&f.finding_type, f.severity, f.severity_label, f.count),
        r#"(Some("Recon:EC2/Portscan"), None, Some(High), Some(3))"#,
    );
    check(
        (f.created_at, f.updated_at),
        "(Some(1700000000123456), Some(1700000001000000))",
    );
    check(
        (f.event_first_seen, f.event_last_seen),
        "(Some(1700000000000000), Some(1700000002000000))",
    );
    check(
        (
            &f.remote_ips,
            f.remote_port,
            &f.remote_country,
            f.remote_asn,
        ),
        r#"(["1.1.1.1"], Some(99), Some("DE"), Some(7))"#,
    );
    check(
        (&f.api, &f.service_name, &f.direction, &f.dns_domain),
        r#"(Some("RunInstances"), Some("ec2.amazonaws.com"), Some("INBOUND"), Some("h.example"))"#,
    );
    check(
        (&f.resource_type, &f.instance_id, &f.user_name),
        r#"(Some("AwsEc2Instance"), Some("i-1"), Some("alice"))"#,
    );
    check(
        (&f.detector_id, &f.partition, f.wire_shape.is_native()),
        r#"(Some("d1"), Some("aws"), false)"#,
    );
}

/// The same version has the same hash whichever way it came; Security Hub's copy is a version apart.
#[test]
fn one_version_has_one_hash_in_all_native_shapes() {
    let camel = json!({"accountId": "111122223333", "region": "eu-west-1", "id": "f1", "type": "t", "updatedAt": "2025-01-01T00:00:00.123Z", "service": {"count": 2}});
    let pascal = json!({"AccountId": "111122223333", "Region": "eu-west-1", "Id": "f1", "Type": "t", "UpdatedAt": "2025-01-01T01:00:00+01:00", "Service": {"Count": 2}});
    let lower = json!({"accountid": 111122223333u64, "region": "eu-west-1", "id": "f1", "type": "t", "updatedat": "2025-01-01 00:00:00.123", "service": {"count": "2"}});
    let message = json!({"detail": camel, "detail-type": "GuardDuty Finding"}).to_string();
    let shapes = [
        camel.to_string(),
        message.clone(),
        json!({"Records": [{"Sns": {"Message": message}}]}).to_string(),
        pascal.to_string(),
        json!({"Findings": [pascal]}).to_string(),
        json!({"findings": [camel]}).to_string(),
        lower.to_string(),
    ];
    let hashes: Vec<_> = shapes.iter().map(|shape| one(shape).version()).collect();
    assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
    let asff = json!({"ProductArn": "product/aws/guardduty", "Id": "f1", "AwsAccountId": "111122223333", "Region": "eu-west-1",
        "UpdatedAt": "2025-01-01T00:00:00Z", "ProductFields": {"aws/guardduty/service/count": "2"}});
    let asff = one(&asff.to_string());
    assert_eq!(asff.key(), one(&shapes[0]).key());
    assert_ne!(asff.version(), hashes[0]);
}
