//! Names of things in an account: people, roles, buckets, processes, domains and API calls.

use std::net::Ipv4Addr;

use crate::rng::{Rng, mix};

/// An API operation with its service and the resource it touches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) service: &'static str,
    pub(crate) affected: &'static str,
}

pub(crate) const WORKLOADS: &[&str] = &[
    "checkout-api",
    "web-frontend",
    "coredns",
    "orders-worker",
    "redis",
    "etl-runner",
    "jenkins-agent",
    "grafana",
    "nginx-ingress",
    "payments-gateway",
    "notebook-0",
    "vault-agent",
];
pub(crate) const NAMESPACES: &[&str] = &[
    "default",
    "prod",
    "kube-system",
    "payments",
    "monitoring",
    "ci",
    "data",
];
pub(crate) const PROCESSES: &[&str] = &[
    "bash",
    "sh",
    "python3",
    "curl",
    "xmrig",
    "node",
    "java",
    "nc",
    "perl",
    "kworkerds",
    "sshd",
    "nginx",
    "dockerd",
];
pub(crate) const THREATS: &[&str] = &[
    "EICAR-Test-File",
    "Linux.Xmrig",
    "Unix.Trojan.Mirai",
    "Win.Ransomware.Generic",
    "Backdoor.Meterpreter",
    "Trojan.Kinsing",
    "Coinminer.Generic",
    "PHP.Webshell.C99",
];
pub(crate) const AGENTS: &[&str] = &[
    "aws-cli/2.15.30 Python/3.11.8 Linux/5.10.210-201.852.amzn2.x86_64 exe/x86_64.amzn.2 prompt/off command/s3.ls",
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.1.79 lang/python#3.12.2",
    "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) terraform-provider-aws/5.42.0",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10.213 OpenJDK_64-Bit_Server_VM/25.372]",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36",
    "aws-sdk-go-v2/1.26.0 os/linux lang/go#1.22.1 md/GOOS#linux md/GOARCH#amd64 api/sts#1.28.6",
    "console.amazonaws.com",
];
pub(crate) const KUBE_AGENTS: &[&str] = &[
    "kubectl/v1.29.3 (linux/amd64) kubernetes/6813625",
    "kubectl/v1.27.9 (darwin/arm64) kubernetes/d15213f",
    "curl/8.5.0",
    "python-requests/2.31.0",
    "kubelet/v1.28.5 (linux/amd64) kubernetes/506050d",
    "",
];
const PEOPLE: &[&str] = &[
    "alice",
    "bob.meier",
    "carlos-ruiz",
    "deploy",
    "d.kowalski",
    "ci-user",
    "e.okafor",
    "jürgen",
    "svc-backup",
    "terraform",
    "john_doe",
    "lena",
    "m.rossi",
    "audit-reader",
    "noor",
    "øystein",
];
const ROLES: &[&str] = &[
    "OrganizationAccountAccessRole",
    "AWSReservedSSO_AdministratorAccess_3f9a1c07d2b4e658",
    "eks-node-group-role",
    "app-ec2-role",
    "GitHubActionsDeploy",
    "DataPipelineRole",
    "jenkins-build",
    "lambda-exec",
    "ReadOnlyAuditor",
    "AWSReservedSSO_PowerUserAccess_a81c5d20be7f4693",
    "ec2-ssm-core",
    "BreakGlassAdmin",
];

pub(crate) fn person(rng: &mut Rng) -> String {
    rng.pick(PEOPLE).to_owned()
}

pub(crate) fn role(rng: &mut Rng) -> String {
    rng.pick(ROLES).to_owned()
}

pub(crate) fn session(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("i-0{:016x}", rng.next()),
        1 => format!("{}@example.com", rng.pick(PEOPLE)),
        _ => format!("botocore-session-{}", 1_700_000_000 + rng.below(80_000_000)),
    }
}

pub(crate) fn private_ip(rng: &mut Rng) -> Ipv4Addr {
    let bits = rng.next();
    let byte = |at: u32| (bits >> at) as u8;
    if bits.is_multiple_of(4) {
        Ipv4Addr::new(172, 31, byte(8), byte(16).max(4))
    } else {
        Ipv4Addr::new(10, byte(24) % 64, byte(8), byte(16).max(4))
    }
}

pub(crate) fn foreign_account(seed: u64) -> String {
    format!("{:012}", mix(seed, 77) % 1_000_000_000_000)
}

pub(crate) fn bucket(rng: &mut Rng, team: &str) -> String {
    let what = rng.pick(&[
        "logs",
        "artifacts",
        "uploads",
        "backup",
        "static",
        "exports",
        "models",
        "invoices",
    ]);
    let team = if team.is_ascii() { team } else { "donnees" };
    format!("{team}-{what}-{}", rng.hex(6))
}

pub(crate) fn cluster(rng: &mut Rng, team: &str) -> String {
    format!(
        "{team}-{}-{}",
        rng.pick(&["cluster", "k8s", "main", "batch"]),
        rng.pick(&["blue", "green", "01", "02"])
    )
}

pub(crate) fn database(rng: &mut Rng) -> String {
    format!(
        "{}-{}",
        rng.pick(&["orders", "users", "ledger", "inventory", "crm"]),
        rng.pick(&["db", "aurora", "replica-1"])
    )
}

pub(crate) fn function(rng: &mut Rng, team: &str) -> String {
    format!(
        "{team}-{}-{}",
        rng.pick(&["resize", "notify", "export", "webhook", "sync"]),
        rng.hex(4)
    )
}

pub(crate) fn path(rng: &mut Rng) -> String {
    let folder = rng.pick(&[
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/usr/local/bin",
        "/opt/app",
        "/home/ec2-user",
    ]);
    format!(
        "{folder}/{}{}",
        rng.hex(8),
        rng.pick(&["", ".sh", ".so", ".bin", ".elf", ".php"])
    )
}

pub(crate) fn domain(rng: &mut Rng, hint: &str) -> String {
    let top = rng.pick(&[
        "example",
        "test",
        "invalid",
        "example.com",
        "example.net",
        "example.org",
    ]);
    match hint {
        "coin" => format!(
            "{}.{}.{top}",
            rng.pick(&["xmr", "pool", "stratum", "eu1.ethermine"]),
            rng.pick(&["minehub", "hashvault"])
        ),
        "dga" => format!("{}.{top}", rng.letters(18)),
        "exfil" => format!("{}.{}.t.{top}", rng.hex(40), rng.hex(24)),
        "rebind" => format!("{}.rbndr.{top}", rng.hex(8)),
        _ => {
            let first = rng.pick(&[
                "cdn",
                "update",
                "login",
                "secure",
                "api",
                "mail",
                "xn--80ak6aa92e",
                "files",
            ]);
            format!(
                "{first}-{}.{}.{top}",
                rng.hex(4),
                rng.pick(&["badhost", "account-verify", "freedl", "panel", "dropzone"])
            )
        }
    }
}

/// An operation of the group that a type is about.
pub(crate) fn api(rng: &mut Rng, group: &str) -> Api {
    let (service, names): (&str, &[&'static str]) = match group {
        "recon" => rng.pick(&[
            (
                "ec2.amazonaws.com",
                &[
                    "DescribeInstances",
                    "DescribeSecurityGroups",
                    "DescribeSnapshots",
                ] as &[_],
            ),
            (
                "iam.amazonaws.com",
                &[
                    "ListUsers",
                    "ListRoles",
                    "GetAccountAuthorizationDetails",
                    "ListAccessKeys",
                ],
            ),
            (
                "s3.amazonaws.com",
                &["ListBuckets", "GetBucketAcl", "GetBucketPolicy"],
            ),
            ("sts.amazonaws.com", &["GetCallerIdentity"]),
            ("rds.amazonaws.com", &["DescribeDBInstances"]),
        ]),
        "credential" => rng.pick(&[
            (
                "secretsmanager.amazonaws.com",
                &["GetSecretValue", "ListSecrets"] as &[_],
            ),
            (
                "ssm.amazonaws.com",
                &["GetParameters", "GetParametersByPath"],
            ),
            ("ec2.amazonaws.com", &["GetPasswordData"]),
        ]),
        "evasion" => rng.pick(&[
            (
                "cloudtrail.amazonaws.com",
                &["StopLogging", "PutEventSelectors"] as &[_],
            ),
            (
                "config.amazonaws.com",
                &["StopConfigurationRecorder", "DeleteConfigRule"],
            ),
            ("ec2.amazonaws.com", &["DeleteFlowLogs"]),
        ]),
        "exfil" => (
            "ec2.amazonaws.com",
            &[
                "ModifySnapshotAttribute",
                "CreateSnapshot",
                "ModifyImageAttribute",
            ],
        ),
        "impact" => rng.pick(&[
            (
                "ec2.amazonaws.com",
                &["TerminateInstances", "RunInstances"] as &[_],
            ),
            ("kms.amazonaws.com", &["ScheduleKeyDeletion"]),
            ("rds.amazonaws.com", &["DeleteDBInstance"]),
        ]),
        "initial" => (
            "sts.amazonaws.com",
            &["GetFederationToken", "AssumeRole", "GetSessionToken"],
        ),
        "persist" => (
            "iam.amazonaws.com",
            &[
                "CreateAccessKey",
                "CreateUser",
                "CreateLoginProfile",
                "ImportSSHPublicKey",
            ],
        ),
        "privilege" => (
            "iam.amazonaws.com",
            &[
                "AttachRolePolicy",
                "PutUserPolicy",
                "AddUserToGroup",
                "UpdateAssumeRolePolicy",
            ],
        ),
        "password" => (
            "iam.amazonaws.com",
            &["DeleteAccountPasswordPolicy", "UpdateAccountPasswordPolicy"],
        ),
        "trail" => (
            "cloudtrail.amazonaws.com",
            &["StopLogging", "DeleteTrail", "UpdateTrail"],
        ),
        "console" => ("signin.amazonaws.com", &["ConsoleLogin"]),
        "bedrock" => (
            "bedrock.amazonaws.com",
            &["InvokeModel", "Converse", "InvokeModelWithResponseStream"],
        ),
        "bedrock-logging" => (
            "bedrock.amazonaws.com",
            &["DeleteModelInvocationLoggingConfiguration"],
        ),
        "s3-block-account" => (
            "s3.amazonaws.com",
            &[
                "PutAccountPublicAccessBlock",
                "DeleteAccountPublicAccessBlock",
            ],
        ),
        "s3-block-bucket" => (
            "s3.amazonaws.com",
            &[
                "PutBucketPublicAccessBlock",
                "DeleteBucketPublicAccessBlock",
            ],
        ),
        "s3-policy" => (
            "s3.amazonaws.com",
            &["PutBucketPolicy", "PutBucketAcl", "PutObjectAcl"],
        ),
        "s3-logging" => ("s3.amazonaws.com", &["PutBucketLogging"]),
        "s3-list" => (
            "s3.amazonaws.com",
            &["ListObjects", "GetBucketLocation", "ListBuckets"],
        ),
        "s3-get" => (
            "s3.amazonaws.com",
            &["GetObject", "CopyObject", "SelectObjectContent"],
        ),
        "s3-put" => ("s3.amazonaws.com", &["PutObject", "CopyObject"]),
        "s3-delete" => (
            "s3.amazonaws.com",
            &["DeleteObject", "DeleteObjects", "DeleteBucket"],
        ),
        _ => ("ec2.amazonaws.com", &["DescribeInstances"]),
    };
    let affected = match service {
        "s3.amazonaws.com" => "AWS::S3::Bucket",
        "cloudtrail.amazonaws.com" => "AWS::CloudTrail::Trail",
        "iam.amazonaws.com" if group == "persist" || group == "privilege" => "AWS::IAM::User",
        _ => "",
    };
    Api {
        name: rng.pick(names),
        service,
        affected,
    }
}
