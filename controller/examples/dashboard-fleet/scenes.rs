//! Rollouts in every state that matters, and any number of ordinary ones.

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_crds::Rollout;
use serde_json::{Value, json};

/// Weights of the steps.
const WEIGHTS: [u8; 5] = [5, 10, 33, 66, 100];

/// Namespaces of ordinary Rollouts.
pub(crate) const TEAMS: usize = 40;

/// Name of such a namespace.
pub(crate) fn team(number: usize) -> String {
    format!("team-{number:02}")
}

/// So many seconds before now.
pub(crate) fn ago(seconds: i64) -> DateTime<Utc> {
    let now = Utc::now().timestamp();
    DateTime::from_timestamp(now, 0).unwrap_or_default() - TimeDelta::seconds(seconds)
}

/// What a scene is made of.
struct Scene {
    namespace: String,
    name: String,
    state: &'static str,
    message: String,
    attempt: &'static str,
    /// Clusters that are promoted, from the first on.
    promoted: usize,
    /// Clusters that were promoted, and are not any more.
    taken_back: usize,
    /// Members after those: the fields that differ from a pending one.
    moving: Vec<Value>,
    waiting: Value,
    abort: Value,
}

impl Scene {
    fn new(name: &str, state: &'static str, message: &str) -> Self {
        Self {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            state,
            message: message.to_owned(),
            attempt: "Progressing",
            promoted: 1,
            taken_back: 0,
            moving: Vec::new(),
            waiting: json!([]),
            abort: Value::Null,
        }
    }

    fn build(&self, clusters: &[String]) -> serde_json::Result<Rollout> {
        let second = (clusters.len() / 4).max(2).min(clusters.len().saturating_sub(1));
        let waves = [("canary", 0..1), ("early", 1..second), ("rest", second..clusters.len())];
        let promoted = self.promoted.min(clusters.len());
        let reached = promoted.max(self.taken_back);
        let phase = |range: &std::ops::Range<usize>| {
            if range.end <= reached {
                "Done"
            } else if range.start <= reached && self.attempt != "Completed" {
                "Moving"
            } else {
                "Waiting"
            }
        };
        let planned: Vec<Value> = waves
            .iter()
            .filter(|(_, range)| !range.is_empty())
            .map(|(name, range)| {
                json!({"name": name, "clusters": clusters[range.clone()],
                       "maxConcurrent": range.len().min(4), "bakeSeconds": 3600,
                       "samples": 100, "phase": phase(range), "since": ago(1_200),
                       "approval": if *name == "rest" { "Before" } else { "None" }})
            })
            .collect();
        let of = planned.len();
        let at = planned.iter().position(|wave| wave["phase"] != "Done").unwrap_or(of - 1);
        let wave = format!("{}/{of} {}", at + 1, planned[at]["name"].as_str().unwrap_or_default());
        let steps = WEIGHTS.map(|weight| {
            json!({"weight": weight, "bakeSecondsFirst": if weight == 10 { 600 } else { 60 },
                   "bakeSeconds": 60, "samples": 100})
        });
        let members: Vec<Value> = clusters
            .iter()
            .enumerate()
            .map(|(number, name)| self.member(number, name, promoted))
            .collect();
        let ended = matches!(self.attempt, "Completed" | "Aborted").then(|| ago(300));
        let ready = if self.state == "Completed" { "True" } else { "False" };
        let mut conditions = vec![condition("Ready", ready, self.state, &self.message)];
        if self.state == "InvalidSpec" || self.state == "Aborted" {
            conditions.push(condition("Stalled", "True", self.state, &self.message));
        }
        let weight =
            self.moving.iter().filter_map(|member| member["weight"].as_u64()).max().unwrap_or(0);
        let object = json!({
            "apiVersion": "lockflight.dev/v1alpha1", "kind": "Rollout",
            "metadata": {"name": self.name, "namespace": self.namespace, "generation": 4,
                "resourceVersion": "1", "creationTimestamp": ago(864_000),
                "annotations": if self.state == "Paused" {
                    json!({"lockflight.dev/pause": "checking the new cache with the data team"})
                } else { json!({}) }},
            "spec": {"replicas": 6,
                "template": {"spec": {"containers": [{"name": "app", "image": "demo:v2"}]}},
                "ports": [{"name": "http", "port": 80}],
                "analysis": [{"template": "golden-signals"}],
                "traffic": {"gatewayAPI": {"routes": [{"name": self.name}]}}},
            "status": {"observedGeneration": 4, "conditions": conditions, "wave": wave,
                "clusters": format!("{promoted}/{}", clusters.len()), "weight": weight,
                "revision": "7a1b2c3d4e", "waiting": self.waiting, "abort": self.abort,
                "attempt": {"number": 3, "revision": "7a1b2c3d4e", "phase": self.attempt,
                            "startedAt": ago(2_700), "endedAt": ended},
                "plan": {"estimate": "at least 4h20m, 1 approval", "steps": steps,
                         "waves": planned, "analysis": [{"template": "golden-signals"}]},
                "members": members},
        });
        serde_json::from_value(object)
    }

    fn member(&self, number: usize, name: &str, promoted: usize) -> Value {
        let mut member = json!({"name": name, "phase": "Pending", "since": ago(2_700),
                                "base": {"revision": "618e741e25"}});
        let fields = if number < promoted {
            json!({"phase": "Promoted", "step": 5, "weight": 0, "acknowledgedWeight": 0,
                   "readyPods": 6, "since": ago(1_300),
                   "verdict": {"state": "Pass", "message": "every metric passes"}})
        } else {
            self.moving.get(number - promoted).cloned().unwrap_or(json!({}))
        };
        if let (Value::Object(member), Value::Object(fields)) = (&mut member, fields) {
            member.extend(fields);
        }
        member
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message,
           "lastTransitionTime": ago(120)})
}

fn canary(step: u8, acknowledged: u8, verdict: &str, message: &str) -> Value {
    let weight = WEIGHTS[usize::from(step) - 1];
    json!({"phase": "Canary", "step": step, "weight": weight, "since": ago(95),
           "acknowledgedWeight": acknowledged, "acknowledgedAt": ago(88),
           "readyPods": u32::from(weight).div_ceil(17),
           "verdict": {"state": verdict, "message": message}})
}

/// Every scene, then `more` ordinary Rollouts.
pub(crate) fn all(clusters: &[String], more: usize) -> serde_json::Result<Vec<Rollout>> {
    let mut scenes = on_their_way(clusters);
    scenes.extend(in_trouble(clusters));
    scenes.extend((0..more).map(ordinary));
    scenes.iter().map(|scene| scene.build(clusters)).collect()
}

fn on_their_way(clusters: &[String]) -> Vec<Scene> {
    let name = |number: usize| clusters.get(number).cloned().unwrap_or_default();
    vec![
        Scene {
            moving: vec![
                canary(3, 33, "Watch", "errors: no sign of harm, 61 of 100 samples"),
                canary(3, 10, "Watch", "errors: 12 of 100 samples"),
            ],
            waiting: json!([
                {"cluster": name(1), "reason": "Baking",
                 "message": format!("{}: step 3 bakes for 1m", name(1)), "until": ago(-48)},
                {"cluster": name(2), "reason": "RouteNotAcknowledged",
                 "message": format!("{}: the router has not accepted 33 % yet", name(2))},
            ]),
            ..Scene::new("checkout", "Analyzing", &format!("{}: step 3 bakes for 1m", name(1)))
        },
        Scene {
            moving: vec![canary(2, 10, "Pass", "errors: passes with 4,812 samples")],
            waiting: json!([
                {"cluster": name(1), "reason": "AwaitingApproval", "token": "4f0c9a77d2e1",
                 "message": format!("{}: step 2 has passed its gates and awaits approval", name(1))},
            ]),
            ..Scene::new(
                "payments",
                "AwaitingApproval",
                &format!("{}: step 2 has passed its gates and awaits approval", name(1)),
            )
        },
    ]
}

fn in_trouble(clusters: &[String]) -> Vec<Scene> {
    let name = |number: usize| clusters.get(number).cloned().unwrap_or_default();
    let back = || json!({"phase": "RolledBack", "step": 2, "since": ago(300)});
    vec![
        Scene {
            attempt: "Aborted",
            promoted: 0,
            taken_back: 1,
            moving: vec![
                back(),
                back(),
                json!({"phase": "RollingBack", "step": 2,
                "acknowledgedWeight": 10, "readyPods": 1, "unknownSince": ago(430)}),
            ],
            abort: json!({"reason": "AnalysisFailed", "at": ago(320), "revision": "7a1b2c3d4e",
                "message": format!("{} failed at step 2: errors 8.4 % where stable has 0.1 %", name(1)),
                "cluster": name(1), "step": 2, "metric": "errors", "observed": "8.4 %",
                "limit": "at most 2 times 0.1 %", "fleet": true, "owed": [name(2)]}),
            ..Scene::new(
                "search",
                "Aborted",
                &format!("{} failed at step 2: errors 8.4 % where stable has 0.1 %", name(1)),
            )
        },
        Scene {
            moving: vec![
                canary(2, 10, "Watch", "latency: 40 of 100 samples"),
                json!({"phase": "Canary", "step": 1, "weight": 5, "acknowledgedWeight": 5,
                       "readyPods": 1, "unknownSince": ago(130), "since": ago(400)}),
            ],
            waiting: json!([{"cluster": name(2), "reason": "Unreachable",
                "message": format!("{} is not reached and none may be", name(2))}]),
            ..Scene::new(
                "catalog",
                "ClusterUnreachable",
                &format!("{} is not reached and none may be", name(2)),
            )
        },
        Scene {
            moving: vec![canary(
                2,
                10,
                "NoData",
                "errors: the source has no samples of this revision",
            )],
            waiting: json!([{"cluster": name(1), "reason": "NoData",
                "message": format!("{}: errors: the source has no samples of this revision", name(1))}]),
            ..Scene::new(
                "pricing",
                "NoData",
                &format!("{}: errors: the source has no samples of this revision", name(1)),
            )
        },
        Scene {
            attempt: "Aborting",
            moving: vec![json!({"phase": "RollingBack", "step": 4, "weight": 0,
                "acknowledgedWeight": 66, "readyPods": 4, "since": ago(3)})],
            abort: json!({"reason": "CommandedAbort", "at": ago(4), "revision": "7a1b2c3d4e",
                "message": "aborted by command: checkout complaints", "by": "dashboard:jo",
                "fleet": true}),
            ..Scene::new("mail", "Aborting", "going back: aborted by command: checkout complaints")
        },
        Scene {
            moving: vec![canary(3, 33, "Watch", "errors: 80 of 100 samples")],
            waiting: json!([{"reason": "Paused", "message": "paused: nothing moves forward"}]),
            ..Scene::new("recommendations", "Paused", "paused: nothing moves forward")
        },
        Scene {
            moving: vec![canary(3, 33, "Watch", "errors: 80 of 100 samples")],
            waiting: json!([{"cluster": name(1), "reason": "TrafficConflict",
                "message": format!("{}: weight of HTTPRoute feed was set to 50 by argocd-controller", name(1))}]),
            ..Scene::new(
                "feed",
                "TrafficConflict",
                &format!(
                    "{}: weight of HTTPRoute feed was set to 50 by argocd-controller",
                    name(1)
                ),
            )
        },
        Scene {
            attempt: "Completed",
            promoted: clusters.len(),
            ..Scene::new("cart", "Completed", "revision 7a1b2c3d4e serves in every cluster")
        },
    ]
}

/// Most are at rest; some move.
fn ordinary(number: usize) -> Scene {
    let name = format!("service-{number:04}");
    let namespace = team(number % TEAMS);
    if number % 10 == 3 {
        let step = u8::try_from(number / 10 % 4).unwrap_or(0) + 1;
        let weight = WEIGHTS[usize::from(step) - 1];
        return Scene {
            namespace,
            promoted: 1 + number / 10 % 9,
            moving: vec![canary(step, weight, "Watch", "errors: 50 of 100 samples")],
            ..Scene::new(&name, "Analyzing", "a step bakes for 1m")
        };
    }
    Scene {
        namespace,
        attempt: "Completed",
        promoted: usize::MAX,
        ..Scene::new(&name, "Completed", "revision 7a1b2c3d4e serves in every cluster")
    }
}

/// Events of the scenes: Rollout, whether somebody should look, reason, sentence.
pub(crate) fn events() -> Vec<(&'static str, bool, &'static str, &'static str)> {
    vec![
        ("checkout", false, "RolloutStarted", "attempt 3 of revision 7a1b2c3d4e starts"),
        ("checkout", false, "ClusterStarted", "eu-west-1: step 1 of 5"),
        ("checkout", false, "WeightChanged", "eu-west-1: 5 % is in force"),
        ("checkout", false, "ClusterPromoted", "eu-west-1 serves 7a1b2c3d4e"),
        ("checkout", true, "RouteNotAccepted", "us-west-1: the router has not accepted 33 % yet"),
        ("search", true, "AnalysisFailed", "us-east-1 failed at step 2: errors 8.4 %"),
        ("search", true, "RolloutAborted", "attempt 3 goes back everywhere"),
    ]
}
