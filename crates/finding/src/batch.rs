//! When a batch is full: by bytes, rows or age. Time comes in as an argument.

/// Bounds of a batch; reaching any of them makes it due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of raw records.
    pub max_bytes: usize,
    /// Rows.
    pub max_rows: usize,
    /// Milliseconds since the first record of the batch arrived.
    pub max_age_ms: u64,
}

impl Default for Limits {
    /// 64 MiB, 100,000 rows, 5 seconds.
    fn default() -> Self {
        Limits {
            max_bytes: 64 << 20,
            max_rows: 100_000,
            max_age_ms: 5_000,
        }
    }
}

/// How full a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// Bytes of raw records so far.
    pub bytes: usize,
    /// Rows so far.
    pub rows: usize,
    /// Age of its first record in milliseconds; 0 while it is empty.
    pub age_ms: u64,
}

impl Limits {
    /// Whether a batch this full must be committed now. An empty batch is never due.
    pub fn is_due(&self, fill: Fill) -> bool {
        (fill.bytes > 0 || fill.rows > 0)
            && (fill.bytes >= self.max_bytes
                || fill.rows >= self.max_rows
                || fill.age_ms >= self.max_age_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_at_the_first_bound_reached_and_never_when_empty() {
        let limits = Limits {
            max_bytes: 100,
            max_rows: 10,
            max_age_ms: 5_000,
        };
        let due = |bytes, rows, age_ms| {
            limits.is_due(Fill {
                bytes,
                rows,
                age_ms,
            })
        };
        assert!(!due(0, 0, 1_000_000));
        assert!(!due(99, 9, 4_999));
        assert!(due(100, 1, 0) && due(1, 10, 0) && due(1, 1, 5_000));
    }
}
