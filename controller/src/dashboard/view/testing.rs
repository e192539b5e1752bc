//! Rollouts in the states that matter, made by hand.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_crds::Rollout;
use serde_json::{Value, json};

/// The moment at which the tests look.
pub(in crate::dashboard) fn now() -> DateTime<Utc> {
    at(0)
}

/// So many seconds before [`now`].
fn at(seconds_ago: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 - seconds_ago)
}

/// A rollout with this status over a plan of two waves and three clusters.
pub(in crate::dashboard) fn rollout(status: &Value) -> Rollout {
    let mut object = json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "checkout", "namespace": "shop", "generation": 4, "resourceVersion": "70",
            "creationTimestamp": at(86_400),
        },
        "spec": {
            "template": {"spec": {"containers": [{"name": "app", "image": "demo:v2"}]}},
            "ports": [{"name": "http", "port": 80}],
            "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
        },
    });
    object["status"] = status.clone();
    serde_json::from_value(object).unwrap()
}

/// The status of an attempt: the state in a word, where the attempt and its waves stand, and
/// the clusters.
fn status(state: &str, attempt: &str, waves: [&str; 2], members: &Value) -> Value {
    let steps = [5, 33, 100].map(|weight| {
        json!({"weight": weight, "bakeSecondsFirst": 60, "bakeSeconds": 30, "samples": 100})
    });
    let ready = if state == "Completed" { "True" } else { "False" };
    json!({
        "observedGeneration": 4,
        "conditions": [{
            "type": "Ready", "status": ready, "reason": state,
            "message": format!("the rollout is {state}"), "lastTransitionTime": at(60),
        }],
        "wave": "2/2 rest",
        "clusters": "1/3",
        "weight": 33,
        "revision": "7a1b2c3d4e",
        "attempt": {
            "number": 3, "revision": "7a1b2c3d4e", "phase": attempt, "startedAt": at(300),
        },
        "plan": {
            "estimate": "at least 34m, 1 approval",
            "steps": steps,
            "waves": [
                {"name": "first", "clusters": ["eu-west-1"], "maxConcurrent": 1,
                 "bakeSeconds": 60, "samples": 100, "phase": waves[0], "since": at(300)},
                {"name": "rest", "clusters": ["us-east-1", "us-west-2"], "maxConcurrent": 2,
                 "bakeSeconds": 0, "samples": 0, "approval": "Before", "phase": waves[1],
                 "since": at(120)},
            ],
        },
        "members": members,
    })
}

fn member(name: &str, phase: &str, rest: Value) -> Value {
    let mut member = json!({
        "name": name, "phase": phase, "since": at(40), "base": {"revision": "618e741e25"},
    });
    if let (Value::Object(member), Value::Object(rest)) = (&mut member, rest) {
        member.extend(rest);
    }
    member
}

fn promoted(name: &str) -> Value {
    let rest = json!({"step": 3, "weight": 100, "acknowledgedWeight": 100, "readyPods": 3});
    member(name, "Promoted", rest)
}

pub(in crate::dashboard) fn progressing() -> Rollout {
    let members = json!([
        promoted("eu-west-1"),
        member(
            "us-east-1",
            "Canary",
            json!({
                "step": 2, "weight": 33, "acknowledgedWeight": 33, "acknowledgedAt": at(38),
                "readyPods": 2,
                "verdict": {"state": "Watch", "message": "errors: 61 of 100 samples"},
            })
        ),
        member(
            "us-west-2",
            "Canary",
            json!({
                "step": 2, "weight": 33, "acknowledgedWeight": 5, "readyPods": 2,
            })
        ),
    ]);
    let mut status = status("Progressing", "Progressing", ["Done", "Moving"], &members);
    status["waiting"] = json!([
        {"cluster": "us-east-1", "reason": "Bake", "message": "step 2 bakes for 30s",
         "until": at(-12)},
    ]);
    rollout(&status)
}

pub(in crate::dashboard) fn awaiting_approval() -> Rollout {
    let members = json!([promoted("eu-west-1")]);
    let mut status = status("AwaitingApproval", "Progressing", ["Done", "Waiting"], &members);
    status["waiting"] = json!([
        {"reason": "AwaitingApproval", "message": "wave rest starts after an approval",
         "token": "3-rest-9f2c"},
        {"cluster": "us-east-1", "reason": "AwaitingApproval",
         "message": "step 1 starts after an approval", "token": "3-us-east-1-77ab"},
    ]);
    rollout(&status)
}

pub(in crate::dashboard) fn aborted() -> Rollout {
    let back = |name| member(name, "RolledBack", json!({"acknowledgedWeight": 0}));
    let members = json!([
        back("eu-west-1"),
        back("us-east-1"),
        member(
            "us-west-2",
            "RollingBack",
            json!({
                "step": 2, "acknowledgedWeight": 33, "readyPods": 2, "unknownSince": at(130),
            })
        ),
    ]);
    let mut status = status("Aborted", "Aborted", ["Done", "Moving"], &members);
    status["attempt"]["endedAt"] = json!(at(50));
    status["abort"] = json!({
        "reason": "AnalysisFailed",
        "message": "us-east-1 failed at step 2: errors 8.4 % where stable has 0.1 %",
        "at": at(55), "revision": "7a1b2c3d4e", "cluster": "us-east-1", "step": 2,
        "metric": "errors", "observed": "8.4 %", "limit": "at most 2 times 0.1 %",
        "fleet": true, "owed": ["us-west-2"],
    });
    rollout(&status)
}

pub(in crate::dashboard) fn unreachable() -> Rollout {
    let members = json!([
        promoted("eu-west-1"),
        member(
            "us-east-1",
            "Canary",
            json!({
                "step": 1, "weight": 5, "acknowledgedWeight": 5, "acknowledgedAt": at(38),
                "readyPods": 1, "unknownSince": at(130),
            })
        ),
        member("us-west-2", "Pending", json!({})),
    ]);
    let mut status = status("ClusterUnreachable", "Progressing", ["Done", "Moving"], &members);
    status["waiting"] = json!([
        {"reason": "UnreachableBudget", "message": "1 cluster is unreachable and 0 may be"},
    ]);
    rollout(&status)
}

pub(in crate::dashboard) fn completed() -> Rollout {
    let members = json!([promoted("eu-west-1"), promoted("us-east-1"), promoted("us-west-2")]);
    let mut status = status("Completed", "Completed", ["Done", "Done"], &members);
    status["attempt"]["endedAt"] = json!(at(9));
    rollout(&status)
}
