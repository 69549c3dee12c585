//! Groups that have gone silent.

use super::meter::Tallied;
use super::run::{Run, Tally};
use super::{Episode, Frame, Unit};
use crate::observation::Observations;
use crate::rule::Bounds;

/// The episodes of silence: after a row that nothing follows for a window, where the findings in `(row - lookback, row]` are
/// within bounds. The match is the moment at which the silence is a window long; `as_of` is the last moment there is. Times
/// in microseconds.
pub(super) fn silences(
    frame: &Frame,
    rows: &Observations,
    lookback: i64,
    bounds: Bounds,
    as_of: i64,
) -> Vec<Episode> {
    let all = &rows.rows[..];
    let lookback = lookback.max(1);
    let mut episodes = Vec::new();
    let mut run: Option<Run> = None;
    let mut tally = Tally::all(rows);
    let mut tallied = Tallied::new(Unit::Findings, rows);
    let mut left = 0;
    for (at, row) in all.iter().enumerate() {
        tallied.add(row);
        let next = all.get(at + 1).map(|next| next.time);
        let silent = row.time.saturating_add(frame.window);
        if silent > as_of || silent < frame.from || next.is_some_and(|next| next <= silent) {
            continue;
        }
        while row.time.saturating_sub(all[left].time) >= lookback {
            tallied.remove(&all[left]);
            left += 1;
        }
        if !bounds.hold(tallied.total) {
            continue;
        }
        if let Some(ended) =
            run.take_if(|run| silent.saturating_sub(run.last_match) > frame.suppress_for)
        {
            episodes.push(tally.close(ended, frame.window));
        }
        let run = run.get_or_insert_with(|| Run::new(silent));
        run.counted(silent, u64::try_from(tallied.total).unwrap_or(u64::MAX));
        run.spans((row.time.saturating_sub(lookback), row.time));
        run.contributes(left..at + 1);
        run.over = next.filter(|next| *next <= as_of);
    }
    episodes.extend(run.map(|ended| tally.close(ended, frame.window)));
    episodes
}
