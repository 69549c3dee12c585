//! What GuardDuty adds to explain itself: evidence, additional information and anomalies.

use crate::catalogue::Action;
use crate::names;
use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::wire::{Raw, Wire};

/// Writes `evidence` where threat intelligence was used.
pub(crate) fn evidence(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.rng(label::EXTRA);
    let scanned = s.kind.hint.starts_with("scan-")
        || s.kind.is("MaliciousFileExecuted")
        || s.kind.is("Miner");
    let listed = scanned
        || [
            "MaliciousIP",
            "Tor",
            "C&C",
            "Bitcoin",
            "DomainRequest.",
            "DropPoint",
            "Phishing",
            "DriveBy",
            "PortProbe",
        ]
        .iter()
        .any(|part| s.kind.is(part));
    if !listed {
        if rng.chance(0.3) {
            w.null("evidence");
        }
        return;
    }
    w.obj("evidence", |w| {
        w.arr("threatIntelligenceDetails", |w| {
            w.object(|w| {
                w.str("threatListName", s.threat_list());
                w.arr("threatNames", |w| {
                    if scanned {
                        w.value(s.threat);
                    } else if rng.chance(0.5) {
                        w.value(rng.pick(&[
                            "Scanner",
                            "Mirai",
                            "Cobalt Strike",
                            "TOR Node",
                            "Kinsing",
                        ]));
                    }
                });
                if scanned {
                    w.str("threatFileSha256", &rng.hex(64));
                }
            });
        });
    });
}

/// Writes `additionalInfo`: on the wire its members, then the same as JSON text under `value`; from the CLI that text
/// alone. `scratch` holds the text meanwhile.
pub(crate) fn additional_info(w: &mut Wire, s: &Scene<'_>, scratch: &mut Wire) {
    scratch.out.clear();
    scratch.object(|inner| information(inner, s));
    let body = &scratch.out;
    w.obj("additionalInfo", |w| {
        if !w.pascal {
            w.out.push_str(&body[1..body.len() - 1]);
        }
        w.str("value", body);
        w.str("type", "default");
    });
}

fn information(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.rng(label::EXTRA + 100);
    if s.kind.is("Portscan") {
        w.arr("portsScannedSample", |w| {
            let ports = [
                22, 25, 88, 110, 179, 389, 443, 993, 1433, 3389, 5060, 8080, 8443, 8888,
            ];
            for port in &ports[..4 + rng.index(10)] {
                w.item(port);
            }
        });
    }
    if s.kind.is("MaliciousIP") || s.kind.is("PortProbe") || s.kind.action == Action::Dns {
        w.str(
            "threatName",
            rng.pick(&["Scanner", "Suspicious", "Known attacker"]),
        );
        w.str("threatListName", s.threat_list());
    }
    if s.kind.action == Action::Network && !s.kind.is("BruteForce") {
        w.fmt("inBytes", format_args!("{}", rng.below(40_000)));
        w.fmt("outBytes", format_args!("{}", rng.below(9_000_000)));
        match rng.below(3) {
            0 => w.str("unusual", s.remote().network().1),
            1 => w.num("unusual", Raw(s.connection().1)),
            _ => {}
        }
    }
    if s.kind.action == Action::AwsApi && s.kind.is("Anomalous") {
        profile(w, s, &mut rng);
    } else if s.kind.action == Action::AwsApi && rng.chance(0.25) {
        w.arr("apiCalls", |w| {
            w.object(|w| {
                w.str("name", s.api.name);
                w.num("count", s.finding.count);
                w.num("firstSeen", s.finding.first_seen / 1_000_000);
                w.num("lastSeen", s.finding.last_seen / 1_000_000);
            });
        });
    }
    if s.kind.runtime {
        w.obj("agentDetails", |w| {
            w.str("agentVersion", rng.pick(&["v1.5.0", "v1.6.1", "1.7.0"]));
            w.str("agentId", &rng.hex(32));
        });
    }
    if s.finding.sample {
        w.bool("sample", true);
    }
}

/// What is rare and what is usual for the user, as CloudTrail anomalies carry it.
fn profile(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    let service = s.api.service.split('.').next().unwrap_or("ec2");
    let (asn, organisation) = s.remote().network();
    let agent = rng.pick(names::AGENTS);
    w.obj("userAgent", |w| {
        w.str("fullUserAgent", s.text(agent));
        w.str(
            "userAgentCategory",
            rng.pick(&["AWS CLI", "AWS SDK", "Browser", "AWS Service"]),
        );
    });
    w.obj("anomalies", |w| {
        w.fmt(
            "anomalousAPIs",
            format_args!(
                "{service}:[{}:success , {}List:AccessDenied]",
                s.api.name, s.api.name
            ),
        );
    });
    w.obj("profiledBehavior", |w| {
        w.str("rareProfiledAPIsAccountProfiling", s.api.name);
        w.str("infrequentProfiledAPIsAccountProfiling", "");
        w.str(
            "frequentProfiledAPIsAccountProfiling",
            "DescribeInstances , GetObject , AssumeRole , ListBuckets",
        );
        if rng.chance(0.5) {
            w.str("rareProfiledUserTypesAccountProfiling", "");
            w.str(
                "frequentProfiledUserTypesAccountProfiling",
                "ASSUMED_ROLE , IAM_USER",
            );
            w.str(
                "frequentProfiledUserNamesAccountProfiling",
                "app-ec2-role , lambda-exec",
            );
            w.str(
                "frequentProfiledASNsAccountProfiling",
                "asnNumber: 16509 asnOrg: AMAZON-02",
            );
        }
    });
    w.obj("unusualBehavior", |w| {
        w.str("unusualAPIsAccountProfiling", s.api.name);
        w.str("unusualUserNamesAccountProfiling", &s.user.name);
        w.fmt(
            "unusualASNsAccountProfiling",
            format_args!("asnNumber: {asn} asnOrg: {organisation}"),
        );
        w.str("isUnusualUserIdentity", "false");
    });
}

/// Writes `detection.anomaly`, which newer anomalies have; its keys are data.
pub(crate) fn anomaly(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.rng(label::EXTRA + 200);
    if !s.kind.is("Anomalous") || !rng.chance(0.25) {
        return;
    }
    w.obj("detection", |w| {
        w.obj("anomaly", |w| {
            w.obj("profiles", |w| {
                w.data("account").object(|w| {
                    w.data("frequentApis").list(|w| {
                        w.object(|w| {
                            w.str("profileType", "FREQUENCY");
                            w.str("profileSubtype", "FREQUENT");
                            w.obj("observations", |w| {
                                w.strs("text", &["DescribeInstances", "AssumeRole"])
                            });
                        });
                    });
                });
            });
            w.obj("unusual", |w| {
                w.obj("behavior", |w| {
                    w.data("userIdentity").object(|w| {
                        w.data("apis").object(|w| {
                            w.str("profileType", "FREQUENCY");
                            w.str("profileSubtype", "UNSEEN");
                            w.obj("observations", |w| w.strs("text", &[s.api.name]));
                        });
                    });
                });
            });
        });
    });
}
