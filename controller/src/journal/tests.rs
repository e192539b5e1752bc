use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockflight_crds::Rollout;
use lockflight_planner::Plan;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 123_000_000).unwrap()
}

fn member(phase: MemberPhase, base: Base) -> MemberJournal {
    MemberJournal {
        phase,
        step: 2,
        since: at(1),
        base,
        weight: 50,
        acknowledged_weight: 10,
        acknowledged_at: Some(at(2)),
        endpoints_since: Some(at(3)),
        ready_pods: 3,
        verdict: Some(VerdictRecord {
            verdict: Verdict::Watch,
            message: "few".to_owned(),
            evidence: Some(EvidenceRecord { against_centinats: -30, in_favour_centinats: 120 }),
        }),
        unknown_since: Some(at(4)),
        problem: Some("p".to_owned()),
        approved_step: Some(1),
    }
}

fn journal() -> Journal {
    let serving = || Base::Serving(Revision("v1".to_owned()));
    let phases = [
        (MemberPhase::Pending, Base::Unseen),
        (MemberPhase::Deploying, Base::Nothing),
        (MemberPhase::Canary, serving()),
        (MemberPhase::Promoting, serving()),
        (MemberPhase::Promoted, serving()),
        (MemberPhase::RollingBack, serving()),
        (MemberPhase::RolledBack, serving()),
    ];
    let members: BTreeMap<MemberId, MemberJournal> = phases
        .into_iter()
        .enumerate()
        .map(|(index, (phase, base))| (MemberId(format!("m{index}")), member(phase, base)))
        .collect();
    Journal {
        attempt: Some(Attempt {
            number: 7,
            revision: Revision("v2".to_owned()),
            phase: AttemptPhase::Aborting,
            started_at: at(0),
            ended_at: Some(at(9)),
        }),
        plan: Some(PlanJournal {
            steps: vec![PlannedStep {
                weight: 10,
                bake_first: TimeDelta::hours(1),
                bake: TimeDelta::seconds(5),
                samples: 100,
                approval: Approval::Before,
            }],
            waves: vec![WaveJournal {
                planned: PlannedWave {
                    name: "first".to_owned(),
                    members: members.keys().cloned().collect(),
                    concurrent_max: 2,
                    bake: TimeDelta::minutes(3),
                    samples: 5,
                    approval: Approval::After,
                },
                approved: true,
                phase: WavePhase::Baking,
                since: at(5),
            }],
            gated: false,
            pacing: read_pacing(&wire::EvidencePolicy::default()),
        }),
        members,
        abort: Some(Abort {
            reason: "AnalysisFailed".to_owned(),
            message: "m".to_owned(),
            at: at(6),
            revision: Revision("v2".to_owned()),
            member: Some(MemberId("m2".to_owned())),
            step: Some(2),
            metric: Some(("errors".to_owned(), "9 %".to_owned(), "2 %".to_owned())),
            by: Some("kubectl".to_owned()),
            fleet: true,
        }),
        handled: Handled {
            promote: Some("t".to_owned()),
            abort: Some(HandledAbort { value: "v".to_owned(), attempt: Some(7) }),
            retry: Some("6".to_owned()),
        },
    }
}

#[test]
fn what_is_committed_is_what_is_read_after_a_restart() {
    let spec = serde_json::from_value(serde_json::json!({
        "template": {}, "ports": [],
        "traffic": {"gatewayAPI": {"routes": []}},
    }))
    .unwrap();
    let rollout = Rollout::new("r", spec);
    let plan = Plan {
        next: journal(),
        actions: Vec::new(),
        hub_actions: Vec::new(),
        gates: Vec::new(),
        waiting: Vec::new(),
        notices: Vec::new(),
        wake_at: None,
    };
    let status = crate::status::build(&rollout, &plan, &[]);
    // Through JSON, as the API server keeps it.
    let text = serde_json::to_string(&status).unwrap();
    let back: RolloutStatus = serde_json::from_str(&text).unwrap();
    assert_eq!(read(&back), journal());
    let mut again = rollout;
    again.status = Some(back.clone());
    assert_eq!(crate::status::build(&again, &plan, &[]), back, "nothing to write at rest");
}
