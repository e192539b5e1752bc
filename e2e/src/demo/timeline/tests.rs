use lockflight_crds::RolloutStatus;
use serde_json::{Value, json};

use super::{Versions, changes};

fn status(phase: &str, wave: &str, member: &Value, abort: Option<&str>) -> RolloutStatus {
    let at = "2026-01-01T00:00:00Z";
    let mut member = member.clone();
    member["name"] = "m1".into();
    member["since"] = at.into();
    member["base"] = json!({ "revision": "aaaa" });
    let abort = abort.map(|message| {
        json!({ "reason": "AnalysisFailed", "message": message, "at": at, "revision": "bbbb",
                "fleet": true })
    });
    serde_json::from_value(json!({
        "attempt": { "number": 2, "revision": "bbbb", "phase": phase, "startedAt": at },
        "plan": {
            "estimate": "at least 5s",
            "steps": [
                { "weight": 10, "bakeSecondsFirst": 5, "bakeSeconds": 5, "samples": 0 },
                { "weight": 100, "bakeSecondsFirst": 0, "bakeSeconds": 0, "samples": 0 },
            ],
            "waves": [{ "name": "first", "clusters": ["m1"], "maxConcurrent": 1,
                        "bakeSeconds": 0, "samples": 0, "phase": wave, "since": at }],
        },
        "members": [member],
        "abort": abort,
    }))
    .unwrap()
}

fn told(before: &RolloutStatus, now: &RolloutStatus) -> Vec<String> {
    let versions = Versions::from(
        [("aaaa", "v1"), ("bbbb", "v2")]
            .map(|(revision, version)| (revision.to_owned(), version.to_owned())),
    );
    let lines = changes(before, now, &versions);
    lines.into_iter().map(|line| format!("{} {}", line.subject, line.text)).collect()
}

#[test]
fn a_release_is_told_once_and_in_its_order() {
    let canary = json!({ "phase": "Canary", "step": 1 });
    let begun = status("Progressing", "Moving", &canary, None);
    let expected = [
        "v2 attempt 2 begins; the plan takes at least 5s",
        "v2 wave 1/1 (first) begins: m1",
        "m1 pods of v2 start beside v1",
    ];
    assert_eq!(told(&RolloutStatus::default(), &begun), expected);
    assert!(told(&begun, &begun).is_empty());

    let weighed = json!({ "phase": "Canary", "step": 1, "weight": 10, "acknowledgedWeight": 10,
                          "acknowledgedAt": "2026-01-01T00:00:01Z" });
    let weighed = status("Progressing", "Moving", &weighed, None);
    let expected = ["m1 step 1/2: the router sends 10 % of the requests to v2"];
    assert_eq!(told(&begun, &weighed), expected);

    let promoted = status("Completed", "Done", &json!({ "phase": "Promoted", "step": 2 }), None);
    let expected = [
        "m1 v2 is the stable version",
        "v2 wave 1/1 (first) is done",
        "v2 serves in every cluster",
    ];
    assert_eq!(told(&weighed, &promoted), expected);
}

#[test]
fn an_abort_says_why_before_what() {
    let canary = status("Progressing", "Moving", &json!({ "phase": "Canary" }), None);
    let back = status("Aborting", "Moving", &json!({ "phase": "RollingBack" }), Some("errors"));
    assert_eq!(told(&canary, &back), ["v2 ABORT: errors", "m1 traffic goes back to v1"]);
}

#[test]
fn a_step_that_ends_while_its_gate_watches_says_why() {
    let at_step = |step: u32, verdict: Option<&str>| {
        let verdict = verdict.map(|state| json!({ "state": state, "message": "so far" }));
        let member = json!({ "phase": "Canary", "step": step, "verdict": verdict });
        let mut status = status("Progressing", "Moving", &member, None);
        let steps = &mut status.plan.as_mut().unwrap().steps;
        steps.insert(1, steps[0].clone());
        status
    };
    let early = ["m1 step 1/3 is over: little speaks against v2 (only the last needs a pass)"];
    assert_eq!(told(&at_step(1, Some("Watch")), &at_step(2, None)), early);
    let last = ["m1 step 2/3 passed: v2 has shown all that is asked for"];
    assert_eq!(told(&at_step(2, Some("Watch")), &at_step(3, None)), last);
    assert!(told(&at_step(1, Some("Pass")), &at_step(2, None)).is_empty(), "it was told before");
}
