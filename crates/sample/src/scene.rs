//! The scene of one version of a finding: who did what to which resource, before a word of JSON is written.
//!
//! Resources belong to the account and come back in other findings; what is particular to a finding is the same in
//! all its versions, save for the remote addresses, which the latest occurrence overwrites.

use std::net::Ipv4Addr;

use crate::accounts::{Account, Region, region};
use crate::catalogue::{Catalogue, Kind};
use crate::finding::Finding;
use crate::names::{self, Api};
use crate::places::Remote;
use crate::rng::{Rng, mix};
use crate::wire::Wire;

/// What all findings of a generator share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// Start of the period, UTC microseconds: what exists is older.
    pub(crate) origin: i64,
    pub(crate) accounts: Vec<Account>,
    pub(crate) catalogue: Catalogue,
}

pub(crate) struct User {
    pub(crate) name: String,
    /// `IAMUser`, `AssumedRole` or `Root`.
    pub(crate) kind: &'static str,
    pub(crate) principal: String,
    pub(crate) key: String,
}

pub(crate) struct Scene<'a> {
    pub(crate) finding: &'a Finding,
    pub(crate) kind: &'a Kind,
    pub(crate) account: &'a Account,
    pub(crate) region: &'static Region,
    /// GuardDuty's `resourceType`.
    pub(crate) resource: &'static str,
    pub(crate) hostile: Option<&'static str>,
    pub(crate) instance: String,
    pub(crate) private_ip: Ipv4Addr,
    pub(crate) user: User,
    pub(crate) bucket: String,
    pub(crate) cluster: String,
    pub(crate) workload: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) database: String,
    pub(crate) function: String,
    pub(crate) domain: String,
    pub(crate) api: Api,
    pub(crate) process: &'static str,
    pub(crate) path: String,
    pub(crate) threat: &'static str,
    pub(crate) origin: i64,
    seed: u64,
}

/// Labels of the random streams of a scene: one per subject, so that writers do not disturb each other.
pub(crate) mod label {
    pub(crate) const INSTANCE: u64 = 11;
    pub(crate) const USER: u64 = 12;
    pub(crate) const BUCKET: u64 = 13;
    pub(crate) const CLUSTER: u64 = 14;
    pub(crate) const DATABASE: u64 = 15;
    pub(crate) const FUNCTION: u64 = 16;
    pub(crate) const CAST: u64 = 20;
    pub(crate) const ACTION: u64 = 21;
    pub(crate) const EXTRA: u64 = 22;
    pub(crate) const PROCESS: u64 = 23;
    pub(crate) const SCAN: u64 = 24;
    pub(crate) const SEQUENCE: u64 = 25;
    pub(crate) const POD: u64 = 26;
    pub(crate) const FRAME: u64 = 27;
}

impl<'a> Scene<'a> {
    pub(crate) fn new(world: &'a World, finding: &'a Finding) -> Self {
        let kind = &world.catalogue.kinds[finding.kind as usize];
        let account = &world.accounts[finding.account as usize];
        let region = region(finding.region);
        let mut rng = Rng::new(mix(finding.seed, label::CAST));
        let seed = mix(world.seed, u64::from(finding.account));
        let mut of = |what: u64, most: usize| {
            let place = mix(seed, what << 8 | u64::from(finding.region));
            let many = 2 + place as usize % most;
            Rng::of(&[place, rng.index(many).min(rng.index(many)) as u64])
        };
        let mut host = of(label::INSTANCE, 40);
        let instance = format!("i-0{:016x}", host.next());
        let private_ip = names::private_ip(&mut host);
        let mut actor = of(label::USER, 25);
        let mut bucket = of(label::BUCKET, 20);
        let mut cluster = of(label::CLUSTER, 4);
        let mut database = of(label::DATABASE, 8);
        let mut function = of(label::FUNCTION, 30);
        let hostile = finding.hostile.then(|| rng.pick(crate::hostile()));
        let team = account.tags.first().map_or("", |(_, team)| team.as_str());
        let user = User::new(&mut actor, kind, hostile);
        Scene {
            finding,
            kind,
            account,
            region,
            resource: kind.resources[finding.resource as usize % kind.resources.len()],
            hostile,
            instance,
            private_ip,
            user,
            bucket: names::bucket(&mut bucket, team),
            cluster: names::cluster(&mut cluster, team),
            workload: rng.pick(names::WORKLOADS),
            namespace: if kind.is("KubeSystem") {
                "kube-system"
            } else {
                rng.pick(names::NAMESPACES)
            },
            database: names::database(&mut database),
            function: names::function(&mut function, team),
            domain: match hostile {
                Some(text) if rng.chance(0.5) => format!("{text}.example"),
                _ => names::domain(&mut rng, kind.hint),
            },
            api: names::api(&mut rng, kind.hint),
            process: rng.pick(names::PROCESSES),
            path: names::path(&mut rng),
            threat: rng.pick(names::THREATS),
            origin: world.origin,
            seed,
        }
    }

    /// A stream of numbers for one subject, the same in all versions of the finding.
    pub(crate) fn rng(&self, label: u64) -> Rng {
        Rng::new(mix(self.finding.seed, label))
    }

    /// A stream for a named resource of the account, the same in all findings about it.
    pub(crate) fn of(&self, name: &str) -> Rng {
        Rng::new(
            name.bytes()
                .fold(self.seed, |state, byte| mix(state, u64::from(byte))),
        )
    }

    pub(crate) fn remotes(&self) -> &[Remote] {
        self.finding.remotes()
    }

    pub(crate) fn remote(&self) -> Remote {
        self.remotes()
            .first()
            .copied()
            .unwrap_or(Remote { v4: None, v6: None })
    }

    /// Hostile text in place of a harmless one, in findings that have any.
    pub(crate) fn text<'t>(&self, harmless: &'t str) -> &'t str
    where
        'a: 't,
    {
        self.hostile.unwrap_or(harmless)
    }

    pub(crate) fn threat_list(&self) -> &'static str {
        if self.kind.is(".Custom") {
            "corp-deny-list"
        } else if self.kind.is("Tor") {
            "TorExitNodes"
        } else {
            ["ProofPoint", "CrowdStrike", "AWS Threat Intelligence"][self.finding.seed as usize % 3]
        }
    }

    /// Direction, port, name of the port and protocol of a network connection.
    pub(crate) fn connection(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        let mut parts = self.kind.hint.split(' ');
        let mut part = || parts.next().unwrap_or("Unknown");
        match (part(), part(), part(), part()) {
            ("in", port, name, protocol) => ("INBOUND", port, name, protocol),
            (_, port, name, protocol) => ("OUTBOUND", port, name, protocol),
        }
    }

    /// Writes what a name in braces stands for into an open string.
    pub(crate) fn say(&self, w: &mut Wire, name: &str) {
        match name {
            "instance" => w.piece(&self.instance),
            "ip" => w.piece(&self.remote().ip().to_string()),
            "port" => w.piece(self.connection().1),
            "protocol" => w.piece(self.connection().3),
            "domain" => w.piece(&self.domain),
            "api" => w.piece(self.api.name),
            "user" => w.piece(&self.user.name),
            "usertype" => w.piece(self.user.kind),
            "principal" => w.piece(&self.user.principal),
            "bucket" => w.piece(&self.bucket),
            "object" => w.piece(&self.path[1..]),
            "cluster" => w.piece(&self.cluster),
            "workload" => w.piece(self.workload),
            "namespace" => w.piece(self.namespace),
            "database" => w.piece(&self.database),
            "dbuser" => w.piece(self.text("app_rw")),
            "process" => w.piece(self.process),
            "path" => w.piece(&self.path),
            "threat" => w.piece(self.threat),
            "list" => w.piece(self.threat_list()),
            "account" => w.piece(&self.account.id),
            "remoteaccount" => w.piece(&names::foreign_account(self.finding.seed)),
            "purpose" => w.piece(self.kind.purpose),
            "trail" => w.piece(self.text("management-events")),
            "tool" => w.piece(match () {
                () if self.kind.is("Kali") => "Kali",
                () if self.kind.is("Parrot") => "Parrot Security",
                () => "Pentoo",
            }),
            "signals" => w.piece(&crate::sequence::signals(self).to_string()),
            "sequence" => crate::sequence::describe(w, self),
            "resource" => {
                let (what, name): (&str, &str) = match self.resource {
                    "Lambda" => ("Lambda function ", &self.function),
                    "EKSCluster" => ("EKS cluster ", &self.cluster),
                    "ECSCluster" => ("ECS cluster ", &self.cluster),
                    "Container" => ("container ", self.workload),
                    _ => ("EC2 instance ", &self.instance),
                };
                w.piece(what);
                w.piece(name);
            }
            // A test looks for braces.
            _ => w.piece(&format!("{{{name}}}")),
        }
    }
}

impl User {
    fn new(rng: &mut Rng, kind: &Kind, hostile: Option<&'static str>) -> User {
        let exfiltrated = kind.is("CredentialExfiltration");
        let role = exfiltrated || rng.chance(0.55);
        let (letters, name, user_type) = match () {
            () if kind.is("RootCredential") => ("", "Root".to_owned(), "Root"),
            () if role => ("AROA", names::role(rng), "AssumedRole"),
            () => ("AIDA", names::person(rng), "IAMUser"),
        };
        let name = hostile.map_or(name, str::to_owned);
        let unique = format!("{letters}{}", rng.token(17));
        User {
            principal: match user_type {
                "AssumedRole" => format!("{unique}:{}", names::session(rng)),
                "Root" => name.clone(),
                _ => unique,
            },
            key: format!(
                "{}{}",
                if user_type == "IAMUser" {
                    "AKIA"
                } else {
                    "ASIA"
                },
                rng.token(16)
            ),
            name,
            kind: user_type,
        }
    }
}
