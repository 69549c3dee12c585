//! Randomness from a seed alone: SplitMix64, the same on every machine.

/// One stream of numbers. Cheap to make, so every entity (an account, an instance) has its own, derived from its name.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

/// Mixes two numbers into one that looks unrelated to both.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    finish(a ^ finish(b.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The stream that belongs to a path of numbers, such as (seed, account, instance).
    pub(crate) fn of(path: &[u64]) -> Self {
        Rng(path
            .iter()
            .fold(0x6775_6172_646c_616b, |state, part| mix(state, *part)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0)
    }

    /// A number in `0..n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as u64 + 1) as i64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// Lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        self.text(digits, b"0123456789abcdef")
    }

    /// Upper-case letters and digits as in access key and principal ids.
    pub(crate) fn token(&mut self, length: usize) -> String {
        self.text(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    /// Lower-case letters, as in generated host names.
    pub(crate) fn letters(&mut self, length: usize) -> String {
        self.text(length, b"abcdefghijklmnopqrstuvwxyz012345")
    }

    fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        let mut out = String::with_capacity(length);
        let (mut bits, mut left) = (0, 0);
        for _ in 0..length {
            if left == 0 {
                (bits, left) = (self.next(), 12);
            }
            out.push(char::from(alphabet[(bits & 31) as usize % alphabet.len()]));
            bits >>= 5;
            left -= 1;
        }
        out
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}
