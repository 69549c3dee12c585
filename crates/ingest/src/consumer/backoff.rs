//! How long to wait before trying again: longer each time, and by chance not as long as others do.

use std::time::Duration;

use lake::Ids;

/// Waits that grow from `first` to `most`.
pub(super) struct Backoff {
    ids: Ids,
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(ids: Ids, first: Duration, most: Duration) -> Backoff {
        Backoff {
            ids,
            first,
            most,
            tries: 0,
        }
    }

    /// It worked: the next trouble starts from the beginning.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait: between the half and the whole of `first`, doubled for each try before, at most `most`.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.tries.min(16));
        let whole = whole.min(self.most).as_micros() as u64;
        self.tries += 1;
        Duration::from_micros(whole / 2 + self.ids.below(whole / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_start_again() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(Ids::seeded(1), first, most);
        for whole in [100, 200, 400, 800, 1_000, 1_000] {
            let wait = backoff.next().as_millis();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }
}
