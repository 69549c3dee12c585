//! The organisation: member accounts with names, owners and places in the tree, and the Regions each works in.

use std::collections::HashSet;

use crate::rng::{Rng, mix};

/// A member account as AWS Organizations would list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits, some with leading zeros.
    pub id: String,
    /// Such as `payments-prod`.
    pub name: String,
    /// Path of organisational units, such as `/Root/Prod/Payments`.
    pub ou: String,
    /// Who answers for it.
    pub owner: String,
    /// The account's root e-mail address.
    pub email: String,
    /// Tags as key and value.
    pub tags: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: &'static str,
    pub(crate) partition: &'static str,
}

const REGIONS: &[Region] = &[
    Region {
        name: "us-east-1",
        partition: "aws",
    },
    Region {
        name: "eu-west-1",
        partition: "aws",
    },
    Region {
        name: "us-west-2",
        partition: "aws",
    },
    Region {
        name: "eu-central-1",
        partition: "aws",
    },
    Region {
        name: "ap-southeast-2",
        partition: "aws",
    },
    Region {
        name: "ap-northeast-1",
        partition: "aws",
    },
];
const GOVERNMENT: Region = Region {
    name: "us-gov-west-1",
    partition: "aws-us-gov",
};

const TEAMS: &[(&str, &str)] = &[
    ("payments", "Payments"),
    ("checkout", "Payments"),
    ("web", "Shop"),
    ("catalog", "Shop"),
    ("search", "Shop"),
    ("mobile", "Shop"),
    ("data-lake", "Data"),
    ("analytics", "Data"),
    ("ml", "Data"),
    ("données", "Data"),
    ("identity", "Platform"),
    ("network", "Platform"),
    ("logging", "Security"),
    ("forensics", "Security"),
    ("build", "Platform"),
    ("observability", "Platform"),
    ("crm", "Business"),
    ("billing", "Business"),
    ("hr", "Business"),
    ("logistics", "Operations"),
];
const STAGES: &[(&str, &str)] = &[
    ("prod", "Prod"),
    ("staging", "NonProd"),
    ("dev", "NonProd"),
    ("sandbox", "Sandbox"),
];
const OWNERS: &[&str] = &[
    "Amara Okafor",
    "Jonas Lindqvist",
    "María García Núñez",
    "Wei Zhang",
    "Priya Raman",
    "Tomáš Dvořák",
    "Ruth Adeyemi",
    "Sam O'Neill",
    "Hiroshi Tanaka",
    "Lena Fischer",
];

/// The organisation that a seed makes: `n` accounts with distinct ids and names.
pub fn accounts(seed: u64, n: u32) -> Vec<Account> {
    let mut taken = HashSet::new();
    (0..n)
        .map(|index| {
            let mut rng = Rng::of(&[seed, 1, u64::from(index)]);
            let id = loop {
                let digits = if rng.chance(0.12) {
                    10_000_000_000
                } else {
                    1_000_000_000_000
                };
                let id = format!("{:012}", rng.below(digits));
                if taken.insert(id.clone()) {
                    break id;
                }
            };
            // Stages vary slowest so that the noisy first accounts are of production.
            let at = index as usize;
            let (team, unit) = TEAMS[at % TEAMS.len()];
            let (stage, branch) = STAGES[at / TEAMS.len() % STAGES.len()];
            let round = at / (TEAMS.len() * STAGES.len());
            let suffix = if round == 0 {
                String::new()
            } else {
                format!("-{}", round + 1)
            };
            let name = format!("{team}-{stage}{suffix}");
            let owner = rng.pick(OWNERS).to_owned();
            let tags = vec![
                ("team".to_owned(), team.to_owned()),
                ("env".to_owned(), stage.to_owned()),
                (
                    "cost-center".to_owned(),
                    format!("CC-{}", 1_000 + rng.below(9_000)),
                ),
            ];
            let email = format!("aws+{}@example.com", name.replace('é', "e"));
            Account {
                id,
                name,
                ou: format!("/Root/{branch}/{unit}"),
                owner,
                email,
                tags,
            }
        })
        .collect()
}

/// How much of the noise an account makes, and where it works.
#[derive(Debug)]
pub(crate) struct Activity {
    sums: Vec<u64>,
    seed: u64,
}

impl Activity {
    /// Weights fall like 1/(rank + 4): few noisy accounts, a long tail.
    pub(crate) fn new(seed: u64, n: u32) -> Self {
        let mut sum = 0;
        let sums = (0..u64::from(n))
            .map(|rank| {
                sum += 1_000_000 / (rank + 4) + 1;
                sum
            })
            .collect();
        Activity { sums, seed }
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> u32 {
        let at = rng.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|sum| *sum <= at) as u32
    }

    /// The Region of a new finding: mostly the account's home, sometimes one of up to two others.
    pub(crate) fn region(&self, account: u32, rng: &mut Rng) -> u8 {
        let traits = mix(mix(self.seed, 2), u64::from(account));
        if account % 97 == 41 {
            return REGIONS.len() as u8;
        }
        let home = traits % 8 / 2;
        let other = (home + 1 + (traits >> 8) % 2 + rng.below(2)) % REGIONS.len() as u64;
        (if rng.chance(0.75) { home } else { other }) as u8
    }

    /// How often GuardDuty publishes updates for this organisation's administrator: 15 minutes, 1 hour or 6 hours.
    pub(crate) fn cadence_minutes(&self, account: u32) -> i64 {
        [15, 60, 360][(mix(mix(self.seed, 3), u64::from(account)) % 3) as usize]
    }
}

pub(crate) fn region(index: u8) -> &'static Region {
    REGIONS.get(index as usize).unwrap_or(&GOVERNMENT)
}
