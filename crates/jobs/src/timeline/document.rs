//! A finding as GuardDuty would publish it, made from its type: the EventBridge event whose bytes go through `finding::decode`.
//!
//! What a type's documents look like follows its grammar, `ThreatPurpose:ResourceType/ThreatFamily.Mechanism!Artifact`, and the
//! collected samples of `tests/fixtures/samples`. Severities are those of the GuardDuty user guide where a purpose has one.

use serde_json::{Map, Value, json};

/// Short names of findings that timelines need often, and their types.
pub(super) const TEMPLATES: [(&str, &str); 20] = [
    ("ssh_brute_force", "UnauthorizedAccess:EC2/SSHBruteForce"),
    ("rdp_brute_force", "UnauthorizedAccess:EC2/RDPBruteForce"),
    ("port_probe", "Recon:EC2/PortProbeUnprotectedPort"),
    ("port_scan", "Recon:EC2/Portscan"),
    ("command_and_control", "Backdoor:EC2/C&CActivity.B!DNS"),
    ("crypto_mining", "CryptoCurrency:EC2/BitcoinTool.B"),
    ("dns_exfiltration", "Trojan:EC2/DNSDataExfiltration"),
    ("discovery", "Discovery:IAMUser/AnomalousBehavior"),
    ("tor_api_call", "UnauthorizedAccess:IAMUser/TorIPCaller"),
    (
        "console_login",
        "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B",
    ),
    ("root_usage", "Policy:IAMUser/RootCredentialUsage"),
    (
        "trail_disabled",
        "Stealth:IAMUser/CloudTrailLoggingDisabled",
    ),
    ("initial_access", "InitialAccess:IAMUser/AnomalousBehavior"),
    (
        "credential_exfiltration",
        "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
    ),
    ("s3_exfiltration", "Exfiltration:S3/AnomalousBehavior"),
    (
        "rds_failed_login",
        "CredentialAccess:RDS/AnomalousBehavior.FailedLogin",
    ),
    (
        "rds_login",
        "CredentialAccess:RDS/AnomalousBehavior.SuccessfulLogin",
    ),
    (
        "container_escape",
        "PrivilegeEscalation:Runtime/RuncContainerEscape",
    ),
    ("malware", "Execution:EC2/MaliciousFile"),
    (
        "attack_sequence",
        "AttackSequence:IAM/CompromisedCredentials",
    ),
];

/// What a finding says that something did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Network,
    Api,
    PortProbe,
    Dns,
    Kubernetes,
    RdsLogin,
    /// An attack sequence: actors and endpoints in place of an action.
    Sequence,
    None,
}

impl Action {
    const WORDS: [(&str, Action); 7] = [
        ("NETWORK_CONNECTION", Action::Network),
        ("AWS_API_CALL", Action::Api),
        ("PORT_PROBE", Action::PortProbe),
        ("DNS_REQUEST", Action::Dns),
        ("KUBERNETES_API_CALL", Action::Kubernetes),
        ("RDS_LOGIN_ATTEMPT", Action::RdsLogin),
        ("NONE", Action::None),
    ];

    /// `actionType`, or `NONE`.
    pub(super) fn of_word(word: &str) -> Option<Action> {
        Action::WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, action)| *action)
    }

    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        Action::WORDS.iter().map(|(word, _)| *word)
    }

    /// The member of `service.action`.
    pub(super) fn member(self) -> Option<&'static str> {
        match self {
            Action::Network => Some("networkConnectionAction"),
            Action::Api => Some("awsApiCallAction"),
            Action::PortProbe => Some("portProbeAction"),
            Action::Dns => Some("dnsRequestAction"),
            Action::Kubernetes => Some("kubernetesApiCallAction"),
            Action::RdsLogin => Some("rdsLoginAttemptAction"),
            Action::Sequence | Action::None => None,
        }
    }
}

/// Whether a text has the grammar of a finding type.
pub(super) fn is_type(text: &str) -> bool {
    let filled = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    text.split_once(':').is_some_and(|(purpose, rest)| {
        let (resource, family) = rest.split_once('/').unwrap_or((rest, ""));
        filled(purpose) && filled(resource) && filled(family)
    })
}

/// `resource.resourceType` and the action that findings of a type usually have.
pub(super) fn shape(kind: &str) -> (&'static str, Action) {
    let (purpose, rest) = kind.split_once(':').unwrap_or((kind, ""));
    let (resource, family) = rest.split_once('/').unwrap_or((rest, ""));
    let malware = family.starts_with("MaliciousFile") || family.starts_with("SuspiciousFile");
    let dns = family.ends_with("!DNS")
        || family.contains("DomainRequest")
        || family == "DNSDataExfiltration"
        || family == "MetadataDNSRebind";
    let connects = ["C&C", "BitcoinTool", "Blackhole", "DropPoint", "Tor"]
        .iter()
        .any(|start| family.starts_with(start));
    let by_api = [
        "CredentialAccess",
        "DefenseImpairment",
        "Exfiltration",
        "LateralMovement",
        "Persistence",
    ]
    .contains(&purpose);
    match resource {
        _ if purpose == "AttackSequence" => ("AttackSequence", Action::Sequence),
        "S3" if malware => ("S3Object", Action::None),
        "S3" => ("S3Bucket", Action::Api),
        "Kubernetes" if malware => ("EKSCluster", Action::None),
        "Kubernetes" => ("EKSCluster", Action::Kubernetes),
        "Container" => ("Container", Action::None),
        "ECS" => ("ECSCluster", Action::None),
        "EC2" if malware => ("Instance", Action::None),
        "EC2" if family.starts_with("PortProbe") => ("Instance", Action::PortProbe),
        "EC2" | "Runtime" if dns => ("Instance", Action::Dns),
        "EC2" if by_api => ("AccessKey", Action::Api),
        "EC2" => ("Instance", Action::Network),
        "Runtime" if connects => ("Instance", Action::Network),
        "Runtime" => ("Instance", Action::None),
        "RDS" if !family.starts_with("Modify") && !family.starts_with("Transfer") => {
            ("RDSDBInstance", Action::RdsLogin)
        }
        "Lambda" if !by_api => ("Lambda", Action::Network),
        _ => ("AccessKey", Action::Api),
    }
}

/// The severity that a type starts with unless the timeline says another.
pub(super) fn severity(kind: &str) -> f64 {
    let (purpose, rest) = kind.split_once(':').unwrap_or((kind, ""));
    match purpose {
        "AttackSequence" => 9.0,
        "Backdoor" | "CryptoCurrency" | "Exfiltration" | "Trojan" => 8.0,
        "Discovery" | "Policy" | "Recon" | "Stealth" => 2.0,
        "UnauthorizedAccess" if rest.contains("BruteForce") => 2.0,
        "UnauthorizedAccess" if rest.contains("CredentialExfiltration") => 8.0,
        _ => 5.0,
    }
}

/// What is always said.
pub(super) struct Basics<'a> {
    pub(super) kind: &'a str,
    pub(super) action: Action,
    pub(super) account_id: &'a str,
    pub(super) region: &'a str,
    pub(super) finding_id: &'a str,
    pub(super) count: i64,
    pub(super) severity: f64,
    /// UTC microseconds.
    pub(super) first_seen: i64,
    /// UTC microseconds.
    pub(super) last_seen: i64,
    /// UTC microseconds.
    pub(super) updated: i64,
}

/// The finding itself, camelCase.
pub(super) fn finding(basics: &Basics<'_>) -> Value {
    let Basics {
        kind,
        account_id: account,
        region,
        finding_id: id,
        ..
    } = basics;
    let time = alerts::rfc3339;
    let detector = "b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7";
    let (resource_type, _) = shape(kind);
    json!({
        "schemaVersion": "2.0",
        "accountId": account,
        "region": region,
        "partition": "aws",
        "id": id,
        "arn": format!("arn:aws:guardduty:{region}:{account}:detector/{detector}/finding/{id}"),
        "type": kind,
        "resource": resource(resource_type, account, region),
        "service": {
            "serviceName": "guardduty",
            "detectorId": detector,
            "action": action(basics.action),
            "resourceRole": "TARGET",
            "additionalInfo": {},
            "eventFirstSeen": time(basics.first_seen),
            "eventLastSeen": time(basics.last_seen),
            "archived": false,
            "count": basics.count,
        },
        "severity": basics.severity,
        "createdAt": time(basics.first_seen),
        "updatedAt": time(basics.updated),
        "title": format!("{kind} in account {account}."),
        "description": format!("A finding of type {kind} that a timeline made."),
    })
    .with_sequence(basics.action)
}

/// The EventBridge event around a finding.
pub(super) fn event(finding: &Value, updated: i64) -> Value {
    json!({
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": finding["accountId"],
        "time": alerts::rfc3339(updated),
        "region": finding["region"],
        "resources": [],
        "detail": finding,
    })
}

trait WithSequence {
    fn with_sequence(self, action: Action) -> Self;
}

impl WithSequence for Value {
    fn with_sequence(mut self, action: Action) -> Value {
        if action == Action::Sequence {
            self["service"]["detection"] = json!({"sequence": {
                "uid": "sequence-1",
                "description": "signals of one attack",
                "actors": [{"id": "actor-1", "user": {
                    "name": "deploy", "uid": "AIDAEXAMPLEUSER00001", "type": "IAMUser", "credentialUid": "AKIAIOSFODNN7EXAMPLE",
                }}],
                "endpoints": [{"id": "endpoint-1", "ip": "198.51.100.7", "location": {"city": "Lyon", "country": "FR"}}],
                "resources": [],
                "signals": [],
            }});
            self["service"]["action"] = json!({});
        }
        self
    }
}

fn resource(kind: &str, account: &str, region: &str) -> Value {
    let mut details = Map::new();
    details.insert("resourceType".to_owned(), json!(kind));
    let mut has = |name: &str, value: Value| details.insert(name.to_owned(), value);
    let access_key = || {
        json!({
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "principalId": "AIDAEXAMPLEUSER00001", "userType": "IAMUser", "userName": "deploy",
        })
    };
    match kind {
        "AccessKey" => {
            has("accessKeyDetails", access_key());
        }
        "Instance" => {
            has(
                "instanceDetails",
                json!({"instanceId": "i-0a1b2c3d4e5f60718", "instanceType": "m6i.large", "launchTime": "2026-01-02T03:04:05.000Z"}),
            );
        }
        "S3Bucket" | "S3Object" => {
            has(
                "s3BucketDetails",
                json!([{"arn": "arn:aws:s3:::example-data", "name": "example-data", "type": "Destination"}]),
            );
            has("accessKeyDetails", access_key());
        }
        "EKSCluster" => {
            has(
                "eksClusterDetails",
                json!({"name": "prod", "arn": format!("arn:aws:eks:{region}:{account}:cluster/prod"), "status": "ACTIVE"}),
            );
            has(
                "kubernetesDetails",
                json!({"kubernetesUserDetails": {"username": "system:serviceaccount:default:web", "groups": ["system:authenticated"]}}),
            );
        }
        "ECSCluster" => {
            has(
                "ecsClusterDetails",
                json!({"name": "jobs", "arn": format!("arn:aws:ecs:{region}:{account}:cluster/jobs")}),
            );
        }
        "Container" => {
            has(
                "containerDetails",
                json!({"id": "9f86d081884c7d65", "name": "web", "image": "registry.example/web:1.4"}),
            );
        }
        "RDSDBInstance" => {
            has(
                "rdsDbInstanceDetails",
                json!({"dbInstanceIdentifier": "orders", "dbInstanceArn": format!("arn:aws:rds:{region}:{account}:db:orders")}),
            );
            has(
                "rdsDbUserDetails",
                json!({"user": "admin", "application": "psql"}),
            );
        }
        "Lambda" => {
            has(
                "lambdaDetails",
                json!({"functionName": "resize", "functionArn": format!("arn:aws:lambda:{region}:{account}:function:resize")}),
            );
        }
        _ => {}
    }
    Value::Object(details)
}

fn action(action: Action) -> Value {
    let remote = json!({
        "ipAddressV4": "198.51.100.7",
        "organization": {"asn": "64496", "asnOrg": "Example Transit", "isp": "Example Transit", "org": "Example Transit"},
        "country": {"countryName": "France"},
        "city": {"cityName": "Lyon"},
        "geoLocation": {"lat": 45.75, "lon": 4.85},
    });
    match action {
        Action::Network => json!({"actionType": "NETWORK_CONNECTION", "networkConnectionAction": {
            "connectionDirection": "INBOUND", "protocol": "TCP", "blocked": false,
            "localPortDetails": {"port": 22, "portName": "SSH"}, "remotePortDetails": {"port": 40112, "portName": "Unknown"},
            "localIpDetails": {"ipAddressV4": "10.0.0.23"}, "remoteIpDetails": remote,
        }}),
        Action::Api => json!({"actionType": "AWS_API_CALL", "awsApiCallAction": {
            "api": "ListBuckets", "serviceName": "s3.amazonaws.com", "callerType": "Remote IP",
            "remoteIpDetails": remote, "affectedResources": {},
        }}),
        Action::PortProbe => json!({"actionType": "PORT_PROBE", "portProbeAction": {
            "blocked": false, "portProbeDetails": [{"localPortDetails": {"port": 22, "portName": "SSH"}, "remoteIpDetails": remote}],
        }}),
        Action::Dns => json!({"actionType": "DNS_REQUEST", "dnsRequestAction": {
            "domain": "c2.example.net", "protocol": "UDP", "blocked": false,
        }}),
        Action::Kubernetes => {
            json!({"actionType": "KUBERNETES_API_CALL", "kubernetesApiCallAction": {
                "requestUri": "/api/v1/secrets", "verb": "list", "statusCode": 200, "remoteIpDetails": remote,
            }})
        }
        Action::RdsLogin => {
            json!({"actionType": "RDS_LOGIN_ATTEMPT", "rdsLoginAttemptAction": {"remoteIpDetails": remote}})
        }
        Action::Sequence | Action::None => json!({}),
    }
}
