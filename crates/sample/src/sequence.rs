//! Attack sequences: signals over time, the actors and endpoints behind them, and the resources that they touch.

use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::time::HOUR;
use crate::wire::{Raw, Wire};

type Signal = (&'static str, &'static str, &'static str, &'static str);

/// Type of signal, its name, API operation and service.
const SIGNALS: &[Signal] = &[
    (
        "FINDING",
        "Discovery:S3/MaliciousIPCaller",
        "ListBuckets",
        "s3.amazonaws.com",
    ),
    (
        "FINDING",
        "Persistence:IAMUser/AnomalousBehavior",
        "CreateAccessKey",
        "iam.amazonaws.com",
    ),
    (
        "FINDING",
        "Exfiltration:S3/AnomalousBehavior",
        "GetObject",
        "s3.amazonaws.com",
    ),
    (
        "CLOUD_TRAIL",
        "cloudtrail:DeleteTrail",
        "DeleteTrail",
        "cloudtrail.amazonaws.com",
    ),
    (
        "CLOUD_TRAIL",
        "iam:AttachRolePolicy",
        "AttachRolePolicy",
        "iam.amazonaws.com",
    ),
    (
        "CLOUD_TRAIL",
        "iam:ListUsers",
        "ListUsers",
        "iam.amazonaws.com",
    ),
    (
        "S3_DATA_EVENTS",
        "s3:DeleteObject",
        "DeleteObject",
        "s3.amazonaws.com",
    ),
    (
        "RUNTIME_MONITORING",
        "Execution:Runtime/NewBinaryExecuted",
        "",
        "",
    ),
];
const TACTICS: &[&str] = &[
    "Discovery",
    "Persistence",
    "Privilege Escalation",
    "Defense Evasion",
    "Impact",
];
const TECHNIQUES: &[&str] = &[
    "T1087.004 - Account Discovery: Cloud Account",
    "T1098 - Account Manipulation",
    "T1562.008 - Impair Defenses: Disable or Modify Cloud Logs",
    "T1530 - Data from Cloud Storage",
];

/// How many signals the sequence of this finding has.
pub(crate) fn signals(s: &Scene<'_>) -> usize {
    let mut rng = s.rng(label::SEQUENCE + 100);
    if rng.chance(0.2) {
        12 + rng.index(20)
    } else {
        2 + rng.index(6)
    }
}

/// The list of behaviours that ends a description, with line breaks as GuardDuty has them.
pub(crate) fn describe(w: &mut Wire, s: &Scene<'_>) {
    w.piece("\nbetween eventFirstSeen and eventLastSeen with the following behaviors:\n  - ");
    w.piece(&format!(
        "{} MITRE ATT&CK tactics observed: {}\n  - ",
        TACTICS.len(),
        TACTICS.join(", ")
    ));
    w.piece(&format!(
        "{} MITRE ATT&CK techniques observed: {}\n",
        TECHNIQUES.len(),
        TECHNIQUES.join(", ")
    ));
    w.piece(&format!(
        "  - Connected from a known Tor Exit Node: {}\n",
        s.remote().ip()
    ));
    w.piece("  - 3 sensitive APIs called: cloudtrail:DeleteTrail, iam:AttachRolePolicy, iam:ListUsers\n");
}

/// Writes `detection.sequence`.
pub(crate) fn write(w: &mut Wire, s: &Scene<'_>) {
    if s.kind.hint != "sequence" {
        return;
    }
    let mut rng = s.rng(label::SEQUENCE);
    let actor = rng.uuid();
    let (endpoints, resource) = (s.remotes().len(), primary(s));
    w.obj("detection", |w| {
        w.obj("sequence", |w| {
            w.str("uid", &rng.hex(32));
            w.str(
                "description",
                s.text("A sequence of actions that together indicate a compromise."),
            );
            w.arr("actors", |w| {
                w.object(|w| {
                    w.str("id", &actor);
                    w.obj("user", |w| {
                        w.str("name", &s.user.name);
                        w.str("uid", &s.user.principal);
                        w.str("type", s.user.kind);
                        w.str("credentialUid", &s.user.key);
                        w.obj("account", |w| {
                            w.str("uid", &s.account.id);
                            w.named("account", "Name").value(&s.account.name);
                        });
                    });
                    w.obj("session", |w| {
                        w.str("uid", &rng.uuid());
                        w.str("mfaStatus", "DISABLED");
                        w.epoch("createdTime", s.finding.first_seen - HOUR);
                        w.str("issuer", "sts.amazonaws.com");
                    });
                });
            });
            w.arr("resources", |w| resources(w, s, &mut rng, &resource));
            w.arr("endpoints", |w| {
                for (index, remote) in s.remotes().iter().enumerate() {
                    w.object(|w| {
                        w.fmt("id", format_args!("endpoint-{index}"));
                        remote.write_endpoint(w);
                        w.obj("connection", |w| w.str("direction", "INBOUND"));
                    });
                }
            });
            w.arr("signals", |w| {
                for _ in 0..signals(s) {
                    signal(w, s, &mut rng, &actor, endpoints, &resource);
                }
            });
            w.arr("sequenceIndicators", |w| {
                indicator(w, "ATTACK_TACTIC", "MITRE ATT&CK tactics", TACTICS);
                indicator(w, "ATTACK_TECHNIQUE", "MITRE ATT&CK techniques", TECHNIQUES);
                indicator(
                    w,
                    "HIGH_RISK_API",
                    "Sensitive APIs",
                    &["cloudtrail:DeleteTrail", "iam:AttachRolePolicy"],
                );
                if rng.chance(0.3) {
                    indicator(
                        w,
                        "SUSPICIOUS_USER_AGENT",
                        "Suspicious user agents",
                        &[s.text("kali")],
                    );
                }
            });
        });
    });
}

fn indicator(w: &mut Wire, key: &str, title: &str, values: &[&str]) {
    w.object(|w| {
        w.str("key", key);
        w.strs("values", values);
        w.str("title", title);
    });
}

fn signal(
    w: &mut Wire,
    s: &Scene<'_>,
    rng: &mut Rng,
    actor: &str,
    endpoints: usize,
    resource: &str,
) {
    let (what, name, operation, service) = rng.pick(SIGNALS);
    let seen = s.finding.first_seen
        + rng.between(0, (s.finding.last_seen - s.finding.first_seen) / 1_000) * 1_000;
    w.object(|w| {
        w.str("uid", &rng.hex(32));
        w.str("type", what);
        w.fmt(
            "description",
            format_args!("{name} was seen for {}", s.account.name),
        );
        w.str("name", name);
        for member in ["createdAt", "updatedAt", "firstSeenAt", "lastSeenAt"] {
            w.epoch(member, seen);
        }
        w.num("severity", Raw(rng.pick(&["5", "8", "2"])));
        w.num("count", 1 + rng.below(9));
        w.strs("resourceUids", &[resource]);
        w.strs("actorIds", &[actor]);
        w.arr("endpointIds", |w| {
            if endpoints > 0 {
                w.value_fmt(format_args!("endpoint-{}", rng.index(endpoints)));
            }
        });
        w.arr("signalIndicators", |w| {
            indicator(
                w,
                "ATTACK_TACTIC",
                "MITRE ATT&CK tactics",
                &[rng.pick(TACTICS)],
            )
        });
        if !operation.is_empty() {
            w.arr("activities", |w| {
                w.object(|w| {
                    w.str("type", "API_CALL");
                    w.obj("api", |w| {
                        w.str("operation", operation);
                        w.str("service", service);
                        w.str("userAgent", s.text(crate::names::AGENTS[0]));
                    });
                });
            });
        }
    });
}

/// The uid of the resource under attack: an ARN.
fn primary(s: &Scene<'_>) -> String {
    let (partition, region, account) = (s.region.partition, s.region.name, &s.account.id);
    match () {
        () if s.kind.is(":S3/") => format!("arn:{partition}:s3:::{}", s.bucket),
        () if s.kind.is(":EKS/") => format!(
            "arn:{partition}:eks:{region}:{account}:cluster/{}",
            s.cluster
        ),
        () if s.kind.is(":ECS/") => format!(
            "arn:{partition}:ecs:{region}:{account}:cluster/{}",
            s.cluster
        ),
        () if s.kind.is(":EC2/") => format!(
            "arn:{partition}:ec2:{region}:{account}:instance/{}",
            s.instance
        ),
        () => s.user.key.clone(),
    }
}

fn resources(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng, uid: &str) {
    let (name, kind, service): (&str, &str, &str) = match () {
        () if s.kind.is(":S3/") => (&s.bucket, "S3_BUCKET", "s3"),
        () if s.kind.is(":EKS/") => (&s.cluster, "EKS_CLUSTER", "eks"),
        () if s.kind.is(":ECS/") => (&s.cluster, "ECS_CLUSTER", "ecs"),
        () if s.kind.is(":EC2/") => (&s.instance, "EC2_INSTANCE", "ec2"),
        () => (&s.user.key, "ACCESS_KEY", "iam"),
    };
    head(w, s, (uid, name, kind, service), |w| match kind {
        "S3_BUCKET" => w.obj("s3Bucket", |w| {
            w.str("ownerId", &rng.hex(64));
            w.epoch("createdAt", s.finding.created_at - 9_000 * HOUR);
            w.str("encryptionType", "AES256");
            w.str("effectivePermission", "NOT_PUBLIC");
            w.str("publicReadAccess", "BLOCKED");
            w.str("publicWriteAccess", "BLOCKED");
        }),
        "EKS_CLUSTER" => w.obj("eksCluster", |w| {
            w.str("arn", uid);
            w.epoch("createdAt", s.finding.created_at - 9_000 * HOUR);
            w.str("status", "ACTIVE");
            w.fmt("vpcId", format_args!("vpc-0{:016x}", rng.next()));
            w.strs("ec2InstanceUids", &[&s.instance]);
        }),
        "ECS_CLUSTER" => w.obj("ecsCluster", |w| {
            w.str("status", "ACTIVE");
            w.strs("ec2InstanceUids", &[&s.instance]);
        }),
        "EC2_INSTANCE" => w.obj("ec2Instance", |w| {
            w.fmt("availabilityZone", format_args!("{}a", s.region.name));
            w.str("instanceState", "running");
            w.named("IamInstanceProfile", "IamInstanceProfile")
                .object(|w| {
                    w.fmt(
                        "arn",
                        format_args!(
                            "arn:aws:iam::{}:instance-profile/app-ec2-role",
                            s.account.id
                        ),
                    );
                    w.fmt("id", format_args!("AIPA{}", rng.token(17)));
                });
            w.str("instanceType", "m5.xlarge");
        }),
        _ => w.obj("accessKey", |w| {
            w.str("principalId", &s.user.principal);
            w.str("userName", &s.user.name);
            w.str("userType", s.user.kind);
        }),
    });
    if kind == "EKS_CLUSTER" {
        let workload = format!("{uid}/{}", s.workload);
        head(
            w,
            s,
            (&workload, s.workload, "KUBERNETES_WORKLOAD", "eks"),
            |w| {
                w.obj("kubernetesWorkload", |w| {
                    w.arr("containerUids", |_| ());
                    w.str("namespace", s.namespace);
                    w.named("type", "KubernetesResourcesTypes")
                        .value("deployments");
                });
            },
        );
    }
}

fn head(
    w: &mut Wire,
    s: &Scene<'_>,
    (uid, name, kind, service): (&str, &str, &str, &str),
    data: impl FnOnce(&mut Wire),
) {
    w.object(|w| {
        w.str("uid", uid);
        w.str("name", name);
        w.str("accountId", &s.account.id);
        w.str("resourceType", kind);
        w.str("region", s.region.name);
        w.str("service", service);
        w.str("cloudPartition", s.region.partition);
        w.arr("tags", |_| ());
        w.obj("data", data);
    });
}
