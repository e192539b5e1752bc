//! How long a plan takes at least.

use chrono::TimeDelta;
use lockflight_planner::{Approval, PlanJournal};

/// The shortest time that the bakes of a plan add up to, and its approvals.
pub(super) fn estimate(plan: &PlanJournal) -> String {
    let steps = |bake: fn(&lockflight_planner::PlannedStep) -> TimeDelta| -> TimeDelta {
        plan.steps.iter().map(bake).sum()
    };
    let (first, other) = (steps(|step| step.bake_first), steps(|step| step.bake));
    let asked = plan.steps.iter().filter(|step| step.approval != Approval::None).count();
    let mut total = TimeDelta::zero();
    let mut approvals = 0;
    for wave in &plan.waves {
        let members = wave.planned.members.len();
        // Members that move together bake together; the first of them bakes longest.
        let rounds = members.div_ceil(wave.planned.concurrent_max.max(1));
        let later = i32::try_from(rounds.saturating_sub(1)).unwrap_or(i32::MAX);
        total += if rounds > 0 { first } else { TimeDelta::zero() } + other * later;
        total += wave.planned.bake;
        approvals += usize::from(wave.planned.approval != Approval::None) + members * asked;
    }
    let approvals = match approvals {
        0 => String::new(),
        1 => ", 1 approval".to_owned(),
        n => format!(", {n} approvals"),
    };
    format!("at least {}{approvals}", written(total))
}

/// A span as people write it: 1h30m.
fn written(span: TimeDelta) -> String {
    let parts =
        [(span.num_hours(), "h"), (span.num_minutes() % 60, "m"), (span.num_seconds() % 60, "s")];
    let text: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text.concat() }
}

#[cfg(test)]
mod tests {
    use lockflight_planner::{MemberId, Pacing, PlannedStep, PlannedWave, WaveJournal, WavePhase};

    use super::*;

    #[test]
    fn bakes_add_up_over_waves_and_rounds() {
        let step = |weight, bake_first, approval| PlannedStep {
            weight,
            bake_first: TimeDelta::minutes(bake_first),
            bake: TimeDelta::minutes(1),
            samples: 0,
            approval,
        };
        let wave = |members: &[&str], concurrent_max, bake| WaveJournal {
            planned: PlannedWave {
                name: "w".to_owned(),
                members: members.iter().map(|name| MemberId((*name).to_owned())).collect(),
                concurrent_max,
                bake: TimeDelta::minutes(bake),
                samples: 0,
                approval: Approval::None,
            },
            approved: false,
            phase: WavePhase::Waiting,
            since: chrono::DateTime::UNIX_EPOCH,
        };
        let plan = PlanJournal {
            steps: vec![step(10, 60, Approval::None), step(100, 1, Approval::After)],
            // 61 + 30 minutes, then two rounds: 61 + 2 minutes.
            waves: vec![wave(&["a"], 1, 30), wave(&["b", "c", "d"], 2, 0)],
            gated: false,
            pacing: Pacing {
                dwell_min: TimeDelta::zero(),
                dwell_max: TimeDelta::zero(),
                decision_deadline: TimeDelta::zero(),
                missed: 0.05,
            },
        };
        assert_eq!(estimate(&plan), "at least 2h34m, 4 approvals");
        assert_eq!(written(TimeDelta::zero()), "0s");
    }
}
