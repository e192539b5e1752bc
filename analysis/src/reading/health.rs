//! Whether Ready pods can be scraped: a release whose pods cannot even answer that must not be
//! judged by those that can.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    answer::ms,
    frame::{Frame, Placed},
    span::SKEW_MS,
};
use crate::judge::{Arm, Cell};

/// One cell per pod that was Ready for the whole window and has been scraped before: bad when
/// the scrape at its end is missing. Nothing where no pod at all was scraped: then the source is
/// broken, not the pods. Pods that were never scraped are no cells: their counters may begin
/// with the first request.
pub(super) fn cells(
    frame: &Frame<'_>,
    pods: &BTreeMap<Arc<str>, Vec<&Placed<'_>>>,
    slot: i64,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut any = false;
    for (pod, targets) in pods {
        let Some(facts) = frame.round.pods.get(pod) else { continue };
        let (mut known, mut missing) = (false, false);
        let mut eligible = true;
        for placed in targets {
            let due = placed.phase + slot * frame.grid.length_ms;
            let ready = facts
                .ready_since
                .is_some_and(|since| ms(since) + SKEW_MS <= due - frame.grid.length_ms);
            let ends = facts.terminating_since.is_some_and(|since| due + SKEW_MS > ms(since));
            eligible &= ready && !ends;
            known |= placed.slots.range(..slot).next_back().is_some();
            missing |= !placed.slots.contains_key(&slot);
        }
        any |= !missing;
        if eligible && known {
            let bad = u64::from(missing);
            cells.push(Cell { arm: facts.arm, pod: Arc::clone(pod), bad, events: 1 });
        }
    }
    let has = |arm: Arm| cells.iter().any(|cell| cell.arm == arm);
    if any && has(Arm::Canary) && has(Arm::Stable) { cells } else { Vec::new() }
}
