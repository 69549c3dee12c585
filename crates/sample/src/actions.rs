//! What was done: the `action` of a finding, one writer for each action type.

use crate::catalogue::Action;
use crate::names;
use crate::places::Remote;
use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::wire::{Raw, Wire};

/// Writes `action`, or nothing for types that have none.
pub(crate) fn write(w: &mut Wire, s: &Scene<'_>) {
    let (name, body): (_, fn(&mut Wire, &Scene<'_>, &mut Rng)) = match s.kind.action {
        Action::None => return,
        Action::Network => ("NETWORK_CONNECTION", network),
        Action::PortProbe => ("PORT_PROBE", port_probe),
        Action::Dns => ("DNS_REQUEST", dns),
        Action::AwsApi => ("AWS_API_CALL", aws_api),
        Action::Kubernetes => ("KUBERNETES_API_CALL", kubernetes),
        Action::Rds => ("RDS_LOGIN_ATTEMPT", rds),
    };
    w.obj("action", |w| {
        w.str("actionType", name);
        body(w, s, &mut s.rng(label::ACTION));
    });
}

fn port(w: &mut Wire, member: &str, port: &str, name: &str) {
    w.obj(member, |w| {
        w.num("port", Raw(port));
        w.str("portName", name);
    });
}

fn local_ip(w: &mut Wire, s: &Scene<'_>, remote: Remote) {
    w.obj("localIpDetails", |w| {
        w.fmt("ipAddressV4", format_args!("{}", s.private_ip));
        if remote.v6.is_some() {
            let [a, b, c, d] = s.private_ip.octets();
            w.fmt(
                "ipAddressV6",
                format_args!("2001:db8:ffff::{a:x}{b:02x}:{c:x}{d:02x}"),
            );
        }
    });
}

fn network(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    let (direction, known, name, protocol) = s.connection();
    let ephemeral = rng.between(32_768, 60_999).to_string();
    let inbound = direction == "INBOUND";
    w.obj("networkConnectionAction", |w| {
        w.str("connectionDirection", direction);
        s.remote().write(w);
        let (remote, local) = if inbound {
            ((&*ephemeral, "Unknown"), (known, name))
        } else {
            ((known, name), (&*ephemeral, "Unknown"))
        };
        port(w, "remotePortDetails", remote.0, remote.1);
        port(w, "localPortDetails", local.0, local.1);
        w.str("protocol", protocol);
        w.bool("blocked", rng.chance(0.05));
        local_ip(w, s, s.remote());
        if rng.chance(0.5) {
            w.fmt(
                "localNetworkInterface",
                format_args!("eni-0{:016x}", rng.next()),
            );
        }
    });
}

fn port_probe(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    const ANY: &[(&str, &str)] = &[
        ("22", "SSH"),
        ("443", "HTTPS"),
        ("80", "HTTP"),
        ("3306", "MySQL"),
        ("5432", "Unknown"),
        ("6379", "Unknown"),
        ("9200", "Unknown"),
        ("3389", "RDP"),
        ("21", "FTP"),
        ("25", "SMTP"),
    ];
    const EMR: &[(&str, &str)] = &[
        ("8088", "Unknown"),
        ("8042", "Unknown"),
        ("50070", "Unknown"),
    ];
    let ports = if s.kind.hint == "emr" { EMR } else { ANY };
    w.obj("portProbeAction", |w| {
        w.bool("blocked", false);
        w.arr("portProbeDetails", |w| {
            for remote in s.remotes() {
                w.object(|w| {
                    let (number, name) = rng.pick(ports);
                    port(w, "localPortDetails", number, name);
                    remote.write(w);
                    local_ip(w, s, *remote);
                });
            }
        });
    });
}

fn dns(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    w.obj("dnsRequestAction", |w| {
        w.str("domain", &s.domain);
        w.str("protocol", rng.pick(&["UDP", "UDP", "UDP", "TCP", "0"]));
        w.bool("blocked", rng.chance(0.1));
        let registered = s
            .domain
            .rmatch_indices('.')
            .nth(1)
            .map_or(0, |(at, _)| at + 1);
        w.str("domainWithSuffix", &s.domain[registered..]);
        if rng.chance(0.3) {
            w.str("vpcOwnerAccountId", &s.account.id);
        }
    });
}

fn aws_api(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    w.obj("awsApiCallAction", |w| {
        w.str("api", s.api.name);
        w.str("serviceName", s.api.service);
        let by_domain = s.remotes().is_empty();
        w.str("callerType", if by_domain { "Domain" } else { "Remote IP" });
        if rng.chance(0.3) {
            let error = rng.pick(&[
                "AccessDenied",
                "Client.UnauthorizedOperation",
                "NoSuchEntityException",
            ]);
            w.str("errorCode", error);
        }
        if rng.chance(0.4) || s.hostile.is_some() {
            w.str("userAgent", s.text(rng.pick(names::AGENTS)));
        }
        if by_domain {
            w.obj("domainDetails", |w| {
                w.str(
                    "domain",
                    rng.pick(&["ec2.amazonaws.com", "autoscaling.amazonaws.com"]),
                )
            });
        } else {
            s.remote().write(w);
        }
        if s.kind.is("InsideAWS") || rng.chance(0.04) {
            w.obj("remoteAccountDetails", |w| {
                w.str("accountId", &names::foreign_account(s.finding.seed));
                w.bool("affiliated", rng.chance(0.3));
            });
        }
        w.obj("affectedResources", |w| match s.api.affected {
            "" => {}
            "AWS::S3::Bucket" => w.data(s.api.affected).value(&s.bucket),
            "AWS::IAM::User" => w.data(s.api.affected).value(&s.user.name),
            other => w.data(other).value(s.text("management-events")),
        });
    });
}

fn kubernetes(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    let (verb, resource, group): (&str, &str, &str) = match s.kind.hint {
        "permission" => (
            "create",
            "selfsubjectaccessreviews",
            "/apis/authorization.k8s.io/v1",
        ),
        "exec" => ("create", "pods", "/api/v1"),
        "deploy" => ("create", "deployments", "/apis/apps/v1"),
        "binding" => (
            "create",
            "clusterrolebindings",
            "/apis/rbac.authorization.k8s.io/v1",
        ),
        "role" => (
            "create",
            "clusterroles",
            "/apis/rbac.authorization.k8s.io/v1",
        ),
        "service" => ("create", "services", "/api/v1"),
        "secrets" => ("list", "secrets", "/api/v1"),
        "delete" => ("delete", "pods", "/api/v1"),
        _ => (
            "list",
            rng.pick(&["pods", "configmaps", "nodes"]),
            "/api/v1",
        ),
    };
    let exec = s.kind.hint == "exec";
    w.obj("kubernetesApiCallAction", |w| {
        let tail = if exec {
            "/exec?command=sh&stdin=true&tty=true"
        } else {
            ""
        };
        let object = if exec { s.workload } else { "" };
        let slash = if exec { "/" } else { "" };
        w.fmt(
            "requestUri",
            format_args!(
                "{group}/namespaces/{}/{resource}{slash}{object}{tail}",
                s.namespace
            ),
        );
        w.str("verb", verb);
        w.str("resource", resource);
        if exec {
            w.str("subresource", "exec");
        }
        w.str("namespace", s.namespace);
        if exec || verb == "delete" {
            w.str("resourceName", s.workload);
        }
        w.named("sourceIPs", "SourceIps").list(|w| {
            w.value_fmt(format_args!("{}", s.remote().ip()));
            if let Some(proxy) = s.finding.proxy() {
                w.value_fmt(format_args!("{proxy}"));
            }
        });
        w.str("userAgent", s.text(rng.pick(names::KUBE_AGENTS)));
        s.remote().write(w);
        w.num(
            "statusCode",
            Raw(if verb == "create" {
                "201"
            } else {
                rng.pick(&["200", "200", "403"])
            }),
        );
        if verb == "delete" {
            w.str(
                "parameters",
                "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}",
            );
        }
    });
    match s.kind.hint {
        "permission" => w.obj("kubernetesPermissionCheckedDetails", |w| {
            w.str("verb", "get");
            w.str("resource", "secrets");
            w.str("namespace", s.namespace);
            w.bool("allowed", rng.chance(0.5));
        }),
        "binding" => w.obj("kubernetesRoleBindingDetails", |w| {
            w.str("kind", "ClusterRoleBinding");
            w.fmt("name", format_args!("{}-admin", s.workload));
            w.str("uid", &rng.uuid());
            w.str("roleRefName", "cluster-admin");
            w.str("roleRefKind", "ClusterRole");
        }),
        "role" => w.obj("kubernetesRoleDetails", |w| {
            w.str("kind", "ClusterRole");
            w.fmt("name", format_args!("{}-role", s.workload));
            w.str("uid", &rng.uuid());
        }),
        _ => {}
    }
}

fn rds(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    w.obj("rdsLoginAttemptAction", |w| {
        s.remote().write(w);
        if s.kind.hint == "probe" {
            return;
        }
        // The model has no wire name for this member, so its name is the SDK's also on the wire.
        w.named("LoginAttributes", "LoginAttributes").list(|w| {
            w.object(|w| {
                w.str("user", s.text("app_rw"));
                w.str("application", "psql");
                w.num("failedLoginAttempts", rng.below(300));
                w.num(
                    "successfulLoginAttempts",
                    u8::from(s.kind.hint == "success"),
                );
            });
        });
    });
}
