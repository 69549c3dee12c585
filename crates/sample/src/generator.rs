//! The flow: slots of time are filled with new findings, updates and redeliveries; bursts are merged in; some
//! versions are held back to arrive late. Memory is bounded by the accounts and a fixed number of live findings.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::accounts::{Activity, accounts};
use crate::catalogue::{Action, Catalogue, Level};
use crate::document::{Document, Press, Shape, Version};
use crate::finding::{Finding, MOST_REMOTES};
use crate::options::{BurstKind, Options};
use crate::places::{Noise, Remote};
use crate::rng::{Rng, mix};
use crate::scene::World;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

const MOST_LIVE: usize = 8_192;
const MOST_HELD: usize = 4_096;
const PAGE: usize = 50;

/// Documents in about the order of their time, the same for the same options.
#[derive(Debug)]
pub struct Generator {
    options: Options,
    world: World,
    activity: Activity,
    noise: Noise,
    press: Press,
    rng: Rng,
    /// Findings that may be updated.
    live: Vec<Finding>,
    /// Versions that arrive later than made: (release time, order, version).
    held: BinaryHeap<Reverse<Held>>,
    /// Versions to be handed out again, with the slot from which on.
    again: VecDeque<(u64, Version)>,
    /// Types that have not had their guaranteed turn.
    turns: Vec<u16>,
    /// Findings of bursts by time: (event time, burst, number within it).
    planted: VecDeque<(i64, usize, u32)>,
    slot: u64,
    slots: u64,
}

#[derive(Debug)]
struct Held(i64, u64, Version);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl Generator {
    /// A generator at its start. Fewer than one account counts as one.
    pub fn new(mut options: Options) -> Self {
        options.accounts = options.accounts.max(1);
        let (seed, n) = (options.seed, options.accounts);
        let origin =
            (options.end - i64::from(options.days.max(1)) * DAY).div_euclid(SECOND) * SECOND;
        let world = World {
            seed,
            origin,
            accounts: accounts(seed, n),
            catalogue: Catalogue::new(),
        };
        let mut rng = Rng::of(&[seed, 6]);
        let planted = planted(&options, &mut rng);
        let mut turns = Vec::new();
        if options.every_type {
            turns.extend(0..world.catalogue.kinds.len() as u16);
            for at in (1..turns.len()).rev() {
                turns.swap(at, rng.index(at + 1));
            }
        }
        Generator {
            slots: options.findings - planted.len() as u64,
            activity: Activity::new(seed, n),
            noise: Noise::new(seed),
            press: Press::new(seed, options.shape),
            world,
            rng,
            live: Vec::new(),
            held: BinaryHeap::new(),
            again: VecDeque::new(),
            turns,
            planted,
            slot: 0,
            options,
        }
    }

    /// The accounts whose findings are made.
    pub fn accounts(&self) -> &[crate::Account] {
        &self.world.accounts
    }

    /// The next version in order of arrival.
    fn version(&mut self) -> Option<Version> {
        loop {
            let slot_time = (self.slot < self.slots).then(|| self.slot_time());
            let planted_time = self.planted.front().map(|(at, ..)| *at);
            let next_time = [slot_time, planted_time].into_iter().flatten().min();
            if let Some(Reverse(Held(release, ..))) = self.held.peek()
                && next_time.is_none_or(|next| *release <= next)
            {
                return self
                    .held
                    .pop()
                    .map(|Reverse(Held(_, _, version))| self.hand_out(version));
            }
            let next_time = next_time?;
            if planted_time == Some(next_time) {
                let (at, burst, number) = self.planted.pop_front()?;
                let finding = self.burst_finding(at, burst, number);
                let version = self.publish(&finding);
                return Some(self.hand_out(version));
            }
            let (version, again) = self.fill_slot(next_time);
            self.slot += 1;
            if again {
                return Some(version);
            }
            if self.rng.chance(self.options.late_ratio) && self.held.len() < MOST_HELD {
                let release =
                    next_time + self.rng.between(1, 12) * HOUR + self.rng.between(0, HOUR);
                self.held.push(Reverse(Held(release, self.slot, version)));
                continue;
            }
            return Some(self.hand_out(version));
        }
    }

    /// When the present slot is: slots divide the period evenly and each wavers within its own.
    fn slot_time(&self) -> i64 {
        let room = 30 * MINUTE;
        let span = (i64::from(self.options.days.max(1)) * DAY - room).max(room);
        let width = i128::from(span) * 1_000 / i128::from(self.slots.max(1));
        let wavering = i128::from(mix(self.options.seed, self.slot) % 1_000);
        let offset = (width * i128::from(self.slot) + width * wavering / 1_000) / 1_000;
        (self.options.end - room - span + offset as i64).div_euclid(SECOND) * SECOND
    }

    /// Makes the version of a background slot; true when it is one that was handed out before.
    fn fill_slot(&mut self, at: i64) -> (Version, bool) {
        if self
            .again
            .front()
            .is_some_and(|(from, _)| *from <= self.slot)
            && let Some((_, mut version)) = self.again.pop_front()
        {
            version.truth.duplicate = true;
            version.sent_at =
                (version.sent_at + self.rng.between(1, 600) * SECOND).min(self.options.end);
            return (version, true);
        }
        // A turn comes often enough that all types have had theirs well before the end.
        let every = (self.slots / 320).clamp(2, 1_000);
        let turn = if self.slot.is_multiple_of(every) {
            self.turns.pop()
        } else {
            None
        };
        if turn.is_none()
            && self.rng.chance(self.options.update_ratio)
            && let Some(finding) = self.update(at)
        {
            return (self.publish(&finding), false);
        }
        let severe = self.rng.chance(self.options.severe_ratio);
        let kind = turn.unwrap_or_else(|| match severe {
            true => self.world.catalogue.severe(&mut self.rng),
            false => self.world.catalogue.quiet(&mut self.rng),
        });
        let account = self.activity.draw(&mut self.rng);
        let mut finding = self.create(kind, account, at, severe || turn.is_some());
        let remotes = self.remotes(kind, at);
        finding.set_remotes(remotes.into_iter().flatten());
        if self.live.len() < MOST_LIVE {
            self.live.push(finding);
        } else {
            let place = self.rng.index(MOST_LIVE);
            self.live[place] = finding;
        }
        (self.publish(&finding), false)
    }

    /// A new finding last seen at this time.
    fn create(&mut self, kind: u16, account: u32, at: i64, severe: bool) -> Finding {
        let region = self.activity.region(account, &mut self.rng);
        let mut finding = Finding::new(self.rng.next(), kind, account, region);
        let whole = self.rng.chance(0.8);
        finding.severity = match (self.world.catalogue.kinds[kind as usize].level, severe) {
            (Level::Low, _) if whole => 20,
            (Level::Low, _) => self.rng.between(10, 39) as u8,
            (Level::Varies, false) => self.rng.pick(&[20, 50]),
            (Level::Medium, _) if whole => 50,
            (Level::Medium, _) => self.rng.between(40, 69) as u8,
            (Level::High | Level::Varies, _) if whole => 80,
            (Level::High | Level::Varies, _) => self.rng.between(70, 89) as u8,
            (Level::Critical, _) => 90,
        };
        finding.hostile = self.rng.chance(self.options.hostile_ratio);
        finding.sample = self.rng.chance(self.options.sample_ratio);
        finding.last_seen = at;
        finding.first_seen = at - self.rng.between(0, 9 * 60) * SECOND;
        finding.updated_at = self.published(at);
        finding.created_at = finding.updated_at;
        finding.count = 1 + self.rng.below(3) * self.rng.below(3);
        finding
    }

    /// Some minutes after the activity, with milliseconds, and not after the end.
    fn published(&mut self, at: i64) -> i64 {
        let delay = self.rng.between(60_000, 14 * 60_000) * 1_000;
        (at + delay).min(self.options.end.max(at))
    }

    /// A live finding with new activity at this time, if one is due.
    fn update(&mut self, at: i64) -> Option<Finding> {
        for _ in 0..8 {
            if self.live.is_empty() {
                return None;
            }
            let place = self.rng.index(self.live.len());
            let mut finding = self.live[place];
            if at - finding.created_at > (1 + (finding.seed % 12) as i64) * DAY {
                self.live.swap_remove(place);
                continue;
            }
            let due = self.activity.cadence_minutes(finding.account) * MINUTE;
            if at - finding.updated_at < due {
                continue;
            }
            finding.last_seen = at;
            finding.updated_at = self.published(at);
            finding.count += 1 + self.rng.below(4) * self.rng.below(20);
            if self.rng.chance(0.4) {
                let remotes = self.remotes(finding.kind, at);
                finding.set_remotes(remotes.into_iter().flatten());
            }
            self.live[place] = finding;
            return Some(finding);
        }
        None
    }

    /// Remote addresses of the background, as many as the action of the type has.
    fn remotes(&mut self, kind: u16, at: i64) -> [Option<Remote>; MOST_REMOTES] {
        let kind = &self.world.catalogue.kinds[kind as usize];
        let many = match kind.action {
            Action::None if kind.hint == "sequence" => 1 + self.rng.index(3),
            Action::None | Action::Dns => 0,
            Action::PortProbe => [1, 1, 1, 1, 2, 3, 4][self.rng.index(7)],
            // Calls that an AWS service made for the user name a domain and no address.
            Action::AwsApi if self.rng.chance(0.02) && !kind.is("IPCaller") => 0,
            _ => 1,
        };
        let mut remotes = [None; MOST_REMOTES];
        for place in remotes.iter_mut().take(many) {
            *place = Some(self.noise.draw(&mut self.rng, at));
        }
        remotes
    }

    fn burst_finding(&mut self, at: i64, burst: usize, number: u32) -> Finding {
        let accounts = self.options.accounts;
        let burst = self.options.bursts[burst].clone();
        let remote_kind = |rng: &mut Rng, catalogue: &Catalogue| catalogue.remote(rng);
        let (kind, account, remote) = match burst.kind {
            BurstKind::OneRemoteIp { ip, account } => (
                remote_kind(&mut self.rng, &self.world.catalogue),
                account,
                Remote::from_ip(ip),
            ),
            BurstKind::OneIpManyAccounts { ip, accounts } => (
                remote_kind(&mut self.rng, &self.world.catalogue),
                number % accounts.max(1),
                Remote::from_ip(ip),
            ),
            BurstKind::OneAccount { account } => (
                remote_kind(&mut self.rng, &self.world.catalogue),
                account,
                Noise::once(&mut self.rng),
            ),
            BurstKind::Severe => {
                let kind = match number % 4 {
                    3 => self.world.catalogue.critical(&mut self.rng),
                    _ => self.world.catalogue.severe(&mut self.rng),
                };
                (
                    kind,
                    self.activity.draw(&mut self.rng),
                    Noise::once(&mut self.rng),
                )
            }
        };
        let mut finding = self.create(kind, account % accounts, at, true);
        if !matches!(
            self.world.catalogue.kinds[kind as usize].action,
            Action::Dns
        ) && (self.world.catalogue.kinds[kind as usize].action != Action::None
            || self.world.catalogue.kinds[kind as usize].hint == "sequence")
        {
            finding.set_remotes(std::iter::once(remote));
        }
        finding
    }

    fn publish(&mut self, finding: &Finding) -> Version {
        let sent_at =
            (finding.updated_at + self.rng.between(5, 240) * SECOND).min(self.options.end);
        self.press
            .write(&self.world, finding, sent_at.max(finding.updated_at))
    }

    /// Notes some versions for a second delivery.
    fn hand_out(&mut self, version: Version) -> Version {
        let ratio = self.options.duplicate_ratio;
        // Of the slots, `ratio` repeat an earlier one; the others make the originals.
        if self.rng.chance(ratio / (1.0 - ratio).max(0.01)) && self.again.len() < MOST_HELD {
            let from = self.slot + 1 + self.rng.below(60);
            self.again.push_back((from, version.clone()));
        }
        version
    }
}

impl Iterator for Generator {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        let page = if self.options.shape == Shape::GetFindings {
            PAGE
        } else {
            1
        };
        let mut versions = Vec::with_capacity(page);
        while versions.len() < page {
            match self.version() {
                Some(version) => versions.push(version),
                None => break,
            }
        }
        (!versions.is_empty()).then(|| self.press.bind(versions))
    }
}

/// The event times of all bursts, whole seconds inside their spans, in order; no more than there are findings to make.
fn planted(options: &Options, rng: &mut Rng) -> VecDeque<(i64, usize, u32)> {
    let mut planted = Vec::new();
    for (index, burst) in options.bursts.iter().enumerate() {
        let first = burst.start.div_euclid(SECOND) + i64::from(burst.start.rem_euclid(SECOND) > 0);
        let last = (burst.start + burst.within).div_euclid(SECOND).max(first);
        for number in 0..burst.findings {
            let part = |n: u32| first + (last - first) * i64::from(n) / i64::from(burst.findings);
            planted.push((
                rng.between(part(number), part(number + 1)) * SECOND,
                index,
                number,
            ));
        }
    }
    planted.sort_unstable();
    planted.truncate(usize::try_from(options.findings).unwrap_or(usize::MAX));
    planted.into()
}
