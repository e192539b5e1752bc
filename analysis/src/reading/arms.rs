//! Windows of sources that do not tell pods apart.

use super::{
    cursor::Cursor,
    frame::Frame,
    lane,
    reason::{LeftOut, Notes},
};
use crate::{
    figures::whole,
    judge::{Arm, ArmCounts},
};

/// Sums of both arms per stream, canary first. A target with a gap is left out for both arms:
/// it sees the same time of both. None without a target for each arm.
pub(super) fn window(
    frame: &Frame<'_>,
    cursor: &mut Cursor,
    slot: i64,
    notes: &mut Notes,
) -> Option<Vec<(ArmCounts, ArmCounts)>> {
    let mut sums = vec![0.0; frame.lanes];
    let (mut canary, mut stable) = (false, false);
    let mut consumed = Vec::new();
    for placed in &frame.placed {
        let counted = frame.counted(placed, slot).and_then(|counted| {
            let lanes = counted.lanes.into_iter().collect::<Result<Vec<f64>, _>>()?;
            Ok((lanes, counted.to))
        });
        match counted {
            Ok((lanes, to)) => {
                for (sum, events) in sums.iter_mut().zip(lanes) {
                    *sum += events;
                }
                let has = |arm| placed.target.arms.contains(&arm) && placed.target.sees_all();
                canary |= has(Arm::Canary);
                stable |= has(Arm::Stable);
                consumed.push((placed.target.id, to));
            }
            Err(reason) => notes.add(Arm::Canary, reason),
        }
    }
    if !(canary && stable) {
        return None;
    }
    let mut streams = Vec::new();
    for stream in 0..frame.streams() {
        let counts = |arm| {
            let of = |what| sums.get(lane(arm, what)).map_or(0, |events| whole(events.round()));
            ArmCounts { bad: of(1 + stream), events: of(0) }
        };
        let (canary, stable) = (counts(Arm::Canary), counts(Arm::Stable));
        for (arm, counts) in [(Arm::Canary, canary), (Arm::Stable, stable)] {
            if counts.bad > counts.events {
                notes.add(arm, LeftOut::Contradiction);
                notes.contradiction.get_or_insert((arm, counts.bad, counts.events));
                return None;
            }
        }
        streams.push((canary, stable));
    }
    cursor.consume(&consumed);
    Some(streams)
}
