//! Gauges as cells: a pod's value is bad when it is where only few of stable's values were.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{
    cells::pod_counts,
    cursor::Cursor,
    frame::{Frame, Placed},
    reason::Notes,
};
use crate::judge::{Arm, Cell};

/// Values of stable that it takes to say what is high, and that are remembered.
const VALUES_MIN: usize = 20;
const VALUES_MAX: usize = 512;

/// Share of stable's values below what counts as high.
const QUANTILE: f64 = 0.85;

/// From which value on a cell is bad: stable's 85 % point of the past. Where that is the usual
/// value itself, as with an empty queue, the next higher one.
pub(super) fn high(stable_values: &VecDeque<f64>) -> Option<f64> {
    if stable_values.len() < VALUES_MIN {
        return None;
    }
    let mut sorted: Vec<f64> = stable_values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a short list"
    )]
    let at = (QUANTILE * (sorted.len() - 1) as f64).ceil() as usize;
    let (median, high) = (*sorted.get(sorted.len() / 2)?, *sorted.get(at)?);
    if high > median {
        return Some(high);
    }
    let above = sorted.into_iter().find(|value| *value > median);
    Some(above.unwrap_or_else(|| median.next_up()))
}

/// The cells of a window. Stable's values of this window are only remembered for later ones.
pub(super) fn window(
    frame: &Frame<'_>,
    cursor: &mut Cursor,
    pods: &BTreeMap<Arc<str>, Vec<&Placed<'_>>>,
    (slot, high): (i64, Option<f64>),
    notes: &mut Notes,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (pod, targets) in pods {
        let Some(facts) = frame.round.pods.get(pod) else { continue };
        // The deltas mean nothing here; that they can be taken means that the cell is covered.
        let counts = match pod_counts(frame, cursor, (pod, facts), targets, slot) {
            Ok(counts) => counts,
            Err(reason) => {
                notes.add(facts.arm, reason);
                continue;
            }
        };
        let value: f64 = targets.iter().map(|placed| value(placed, slot)).sum();
        if facts.arm == Arm::Stable {
            cursor.stable_values.push_back(value);
            while cursor.stable_values.len() > VALUES_MAX {
                cursor.stable_values.pop_front();
            }
        }
        if let Some(high) = high {
            let bad = u64::from(value >= high);
            cells.push(Cell { arm: facts.arm, pod: Arc::clone(pod), bad, events: 1 });
        }
        cursor.consume(&counts.consumed);
    }
    cells
}

/// The value of a target at the end of a window, all its series together.
fn value(placed: &Placed<'_>, slot: i64) -> f64 {
    let Some(index) = placed.slots.get(&slot) else { return 0.0 };
    placed.target.tracks.iter().filter_map(|track| *track.values.get(*index)?).sum()
}
