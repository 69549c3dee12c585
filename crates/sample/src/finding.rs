//! The state of a finding that lives on: small, copied freely, and enough to write any of its versions again.

use crate::places::Remote;
use crate::rng::{Rng, mix};

pub(crate) const MOST_REMOTES: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding {
    /// Everything that stays the same over versions is derived from this.
    pub(crate) seed: u64,
    pub(crate) kind: u16,
    pub(crate) account: u32,
    pub(crate) region: u8,
    /// Index into the kind's resources.
    pub(crate) resource: u8,
    /// Severity in tenths.
    pub(crate) severity: u8,
    pub(crate) hostile: bool,
    pub(crate) sample: bool,
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) count: u64,
    remotes: [Remote; MOST_REMOTES],
    remotes_len: u8,
}

impl Finding {
    /// A new finding without remote addresses.
    pub(crate) fn new(seed: u64, kind: u16, account: u32, region: u8) -> Self {
        Finding {
            seed,
            kind,
            account,
            region,
            resource: (mix(seed, 31) >> 56) as u8,
            severity: 20,
            hostile: false,
            sample: false,
            first_seen: 0,
            last_seen: 0,
            created_at: 0,
            updated_at: 0,
            count: 1,
            remotes: [Remote { v4: None, v6: None }; MOST_REMOTES],
            remotes_len: 0,
        }
    }

    pub(crate) fn remotes(&self) -> &[Remote] {
        &self.remotes[..usize::from(self.remotes_len)]
    }

    pub(crate) fn set_remotes(&mut self, remotes: impl Iterator<Item = Remote>) {
        self.remotes_len = 0;
        for (place, remote) in self.remotes.iter_mut().zip(remotes) {
            *place = remote;
            self.remotes_len += 1;
        }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        format!("{:016x}{:016x}", mix(self.seed, 32), mix(self.seed, 33))
    }

    /// A private address that a Kubernetes audit log names as a second source, in some findings.
    pub(crate) fn proxy(&self) -> Option<std::net::Ipv4Addr> {
        let mut rng = Rng::new(mix(self.seed, 34));
        rng.chance(0.2).then(|| crate::names::private_ip(&mut rng))
    }
}
