//! Reading documents back, on purpose without any code of the crate.

use serde_json::{Map, Value};

use super::Shape;

/// The findings of a document in camelCase.
pub(crate) fn details(bytes: &[u8], shape: Shape) -> Vec<Value> {
    let document: Value = serde_json::from_slice(bytes).expect("a document is JSON");
    match shape {
        Shape::EventBridge => {
            assert_eq!(document["version"], "0");
            assert_eq!(document["detail-type"], "GuardDuty Finding");
            assert_eq!(document["source"], "aws.guardduty");
            assert_eq!(document["account"], document["detail"]["accountId"]);
            assert_eq!(document["resources"], Value::Array(Vec::new()));
            assert_eq!(
                document["time"].as_str().map(str::len),
                Some("2026-07-01T00:00:00Z".len())
            );
            vec![document["detail"].clone()]
        }
        Shape::Export => vec![document],
        Shape::GetFindings => {
            let page = document["Findings"].as_array().expect("a list of findings");
            assert!(page.len() <= 50);
            page.iter().map(camel).collect()
        }
    }
}

/// First letters lowered, with the few names that the checks need put right.
fn camel(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(camel).collect(),
        Value::Object(members) => {
            let lower = |name: &str| match name {
                "SourceIps" => "sourceIPs".to_owned(),
                "LoginAttributes" => name.to_owned(),
                _ => name[..1].to_lowercase() + &name[1..],
            };
            members
                .iter()
                .map(|(name, value)| (lower(name), camel(value)))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => value.clone(),
    }
}

/// PascalCase by the rule and the ten exceptions of the model, nulls dropped, additional information as text.
pub(crate) fn pascal(value: &Value, parent: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| pascal(item, parent)).collect(),
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                let upper = || name[..1].to_uppercase() + &name[1..];
                let data = matches!(
                    parent,
                    "affectedResources" | "profiles" | "behavior" | "account-map" | "data-map"
                );
                let key = match (parent, name.as_str()) {
                    _ if data => name.clone(),
                    (_, "sourceIPs") => "SourceIps".to_owned(),
                    (_, "productCodeId") => "Code".to_owned(),
                    (_, "productCodeType") => "ProductType".to_owned(),
                    ("taskDetails", "createdAt") => "TaskCreatedAt".to_owned(),
                    ("location", "lat") => "Latitude".to_owned(),
                    ("location", "lon") => "Longitude".to_owned(),
                    ("account", "account") => "Name".to_owned(),
                    ("kubernetesWorkload", "type") => "KubernetesResourcesTypes".to_owned(),
                    _ => upper(),
                };
                let inner = match parent {
                    // Both levels under these are maps.
                    "profiles" | "behavior" => "data-map",
                    _ => name,
                };
                let value = match name.as_str() {
                    "additionalInfo" if parent == "service" => {
                        serde_json::json!({ "Value": value["value"], "Type": value["type"] })
                    }
                    _ => pascal(value, inner),
                };
                out.insert(key, value);
            }
            out.into()
        }
        _ => value.clone(),
    }
}

/// Equal, but that a time may be epoch seconds in one and ISO text in the other.
pub(crate) fn same_but_for_epochs(camel: &Value, pascal: &Value) {
    match (camel, pascal) {
        (Value::Object(a), Value::Object(b)) => {
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(a), names(b));
            a.values()
                .zip(b.values())
                .for_each(|(a, b)| same_but_for_epochs(a, b));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| same_but_for_epochs(a, b));
        }
        (Value::Number(epoch), Value::String(text)) => {
            let offset: i64 = text[26..29].parse().expect("a whole offset");
            let plain = Value::String(format!("{}.{}Z", &text[..19], &text[20..23]));
            let utc = micros(&plain) - offset * 3_600_000_000;
            assert_eq!(
                (epoch.as_f64().expect("a double") * 1e3).round() as i64,
                utc / 1_000
            );
        }
        _ => assert_eq!(camel, pascal),
    }
}

/// UTC microseconds of `2026-07-01T08:15:30.250Z`.
pub(crate) fn micros(value: &Value) -> i64 {
    let text = value.as_str().expect("a time");
    assert_eq!(text.len(), 24, "{text}");
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    let days_before = |year: i64| 365 * year + year / 4 - year / 100 + year / 400;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days = days_before(year - 1) - days_before(1969)
        + months[..month as usize - 1].iter().sum::<i64>()
        + day
        - 1;
    let seconds = days * 86_400 + part(11, 13) * 3_600 + part(14, 16) * 60 + part(17, 19);
    seconds * 1_000_000 + part(20, 23) * 1_000
}

/// Every remote address of a camelCase finding, each once, sorted.
pub(crate) fn remote_ips(detail: &Value) -> Vec<String> {
    fn walk(name: &str, value: &Value, out: &mut Vec<String>) {
        let mut add = |value: &Value| {
            let ip = value.as_str().expect("an address").to_owned();
            if !out.contains(&ip) {
                out.push(ip);
            }
        };
        match (name, value) {
            ("remoteIpDetails", Value::Object(details)) => {
                ["ipAddressV4", "ipAddressV6"]
                    .iter()
                    .filter_map(|version| details.get(*version))
                    .for_each(add);
            }
            ("sourceIPs", Value::Array(ips)) => ips.iter().for_each(add),
            ("endpoints", Value::Array(points)) => {
                points.iter().for_each(|point| add(&point["ip"]))
            }
            (_, Value::Array(items)) => items.iter().for_each(|item| walk(name, item, out)),
            (_, Value::Object(members)) => members
                .iter()
                .for_each(|(name, value)| walk(name, value, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk("", &detail["service"], &mut out);
    out.sort();
    out
}

/// The mark of a sample finding, from the text that all shapes carry.
pub(crate) fn is_sample(detail: &Value) -> bool {
    let text = detail["service"]["additionalInfo"]["value"]
        .as_str()
        .expect("additional information as text");
    let value: Value = serde_json::from_str(text).expect("JSON in JSON");
    value["sample"] == true
}

/// A finding has the members of its action type and of its resource type, and an ARN that repeats its identity.
pub(crate) fn check_action(detail: &Value) {
    let has = |path: &str| {
        let found = detail.pointer(path);
        assert!(
            found.is_some_and(|value| !value.is_null()),
            "{path} is missing in {detail}"
        );
    };
    let text = |path: &str| {
        detail
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    for name in [
        "schemaVersion",
        "partition",
        "arn",
        "title",
        "description",
        "resource/resourceType",
    ] {
        assert!(
            !text(&format!("/{name}")).is_empty(),
            "{name} is missing in {detail}"
        );
    }
    for name in [
        "serviceName",
        "detectorId",
        "eventFirstSeen",
        "eventLastSeen",
        "archived",
        "additionalInfo",
    ] {
        has(&format!("/service/{name}"));
    }
    let (account, region, id) = (text("/accountId"), text("/region"), text("/id"));
    let arn: Vec<&str> = text("/arn").split([':', '/']).collect();
    assert_eq!([arn[3], arn[4], arn[8]], [region, account, id]);
    assert_eq!(
        [arn[1], arn[6]],
        [text("/partition"), text("/service/detectorId")]
    );
    let action: &[&str] = match text("/service/action/actionType") {
        "NETWORK_CONNECTION" => &[
            "networkConnectionAction/remoteIpDetails/country/countryName",
            "networkConnectionAction/remotePortDetails/port",
            "networkConnectionAction/localPortDetails/port",
            "networkConnectionAction/protocol",
            "networkConnectionAction/blocked",
        ],
        "PORT_PROBE" => &["portProbeAction/portProbeDetails/0/remoteIpDetails/organization/asn"],
        "DNS_REQUEST" => &[
            "dnsRequestAction/domain",
            "dnsRequestAction/domainWithSuffix",
        ],
        "AWS_API_CALL" => &[
            "awsApiCallAction/api",
            "awsApiCallAction/serviceName",
            "awsApiCallAction/callerType",
        ],
        "KUBERNETES_API_CALL" => &[
            "kubernetesApiCallAction/verb",
            "kubernetesApiCallAction/sourceIPs/0",
        ],
        "RDS_LOGIN_ATTEMPT" => &["rdsLoginAttemptAction/remoteIpDetails/geoLocation/lat"],
        "" => &[],
        other => panic!("no such action: {other}"),
    };
    action
        .iter()
        .for_each(|path| has(&format!("/service/action/{path}")));
    let kind = text("/type");
    let body = match text("/resource/resourceType") {
        "Instance" => "/resource/instanceDetails/instanceId",
        "AccessKey" => "/resource/accessKeyDetails/userName",
        "S3Bucket" => "/resource/s3BucketDetails/0/arn",
        "S3Object" => "/resource/s3BucketDetails/0/s3ObjectDetails/0/objectArn",
        "EKSCluster" => "/resource/eksClusterDetails/arn",
        "ECSCluster" => "/resource/ecsClusterDetails/taskDetails/arn",
        "Container" => "/resource/containerDetails/image",
        "Lambda" => "/resource/lambdaDetails/functionArn",
        "RDSDBInstance" => "/resource/rdsDbInstanceDetails/dbInstanceArn",
        "RDSLimitlessDB" => "/resource/rdsLimitlessDbDetails/dbShardGroupArn",
        "AttackSequence" => "/service/detection/sequence/signals/1/uid",
        other => panic!("no such resource: {other}"),
    };
    has(body);
    if kind.contains(":Runtime/") {
        has("/service/runtimeDetails/process/executableSha256");
    }
    if kind.contains("MaliciousFile") && !kind.contains("Runtime") {
        let scan = [
            "/service/ebsVolumeScanDetails",
            "/service/malwareScanDetails",
        ];
        assert!(
            scan.iter().any(|path| detail.pointer(path).is_some()),
            "{kind} has no scan"
        );
    }
}
