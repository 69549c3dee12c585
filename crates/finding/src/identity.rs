//! When two documents are the same finding, and when they are the same published version of it.

use sha2::{Digest, Sha256};

use crate::Finding;

/// A finding: account, Region and finding id. Versions of one finding share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FindingKey(pub u128);

/// A published version of a finding: its [`FindingKey`] plus `updated_at` at whole seconds and `count`.
///
/// A document that lacks either adds the SHA-256 of its raw text. ASFF and OCSF carry Security Hub's own times and counts,
/// so they are versions apart from the native ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionHash(pub u128);

impl FindingKey {
    /// 128 bits of SHA-256 over the parts, so that nobody can make two findings collide on purpose.
    pub fn of(account_id: &str, region: &str, finding_id: &str) -> FindingKey {
        let mut hash = Sha256::new();
        for part in [account_id, region, finding_id] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        FindingKey(first_128(hash))
    }
}

impl VersionHash {
    /// The version hash of its parts. `raw` is read only when `updated_at` or `count` is missing. `updated_at` is in UTC
    /// microseconds; `wire_shape` is the stored text.
    pub fn of_parts(
        key: FindingKey,
        updated_at: Option<i64>,
        count: Option<i64>,
        wire_shape: &str,
        raw: impl FnOnce() -> [u8; 32],
    ) -> VersionHash {
        let mut hash = Sha256::new();
        hash.update(key.0.to_le_bytes());
        hash.update([match wire_shape.rsplit('/').next() {
            Some("asff") => 1u8,
            Some("ocsf") => 2,
            _ => 0,
        }]);
        for part in [updated_at.map(|micros| micros.div_euclid(1_000_000)), count] {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.unwrap_or(0).to_le_bytes());
        }
        if updated_at.is_none() || count.is_none() {
            hash.update(raw());
        }
        VersionHash(first_128(hash))
    }

    /// SHA-256 of a document's raw text, the part that [`VersionHash::of_parts`] asks for when it must.
    pub fn raw_digest(raw: &str) -> [u8; 32] {
        Sha256::digest(raw.as_bytes()).into()
    }
}

impl Finding<'_> {
    /// Which finding this is a version of.
    pub fn key(&self) -> FindingKey {
        FindingKey::of(&self.account_id, &self.region, &self.finding_id)
    }

    /// Which version this is. The same version has the same hash in every native wire shape.
    pub fn version(&self) -> VersionHash {
        VersionHash::of_parts(
            self.key(),
            self.updated_at,
            self.count,
            self.wire_shape.as_str(),
            || VersionHash::raw_digest(&self.raw),
        )
    }
}

fn first_128(hash: Sha256) -> u128 {
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0u8; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_le_bytes(first)
}
