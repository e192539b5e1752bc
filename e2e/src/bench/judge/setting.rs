//! The service that is released, and what it has to bear. Time runs fifteen times as fast as in
//! production: scrapes come every second instead of every 15 s, an episode lasts 4 s instead of a
//! minute, and so on.

use std::time::Duration;

use serde_json::{Value, json};

use super::table::Group;
use crate::app::Noise;
use crate::load::{Bursts, Diurnal, Shape};
use crate::service::{Release, Settings};

/// The members in which a release begins, and the one that follows, with the mean rate of
/// requests per second. A third each of 32 requests per second of a service in production.
pub(super) const RATES: [(&str, u32); 3] = [("m1", 180), ("m2", 180), ("m3", 90)];
/// Share of errors of what is stable.
pub(super) const SHARE: f64 = 0.005;
/// One member has a slow node, with one pod of each revision on it: by this factor its errors and
/// its latency are worse.
pub(super) const SLOW_POD: &str = "pod_factor=1.5";
/// The pods are alike again.
pub(super) const NO_SLOW_POD: &str = "pod_factor=1";
/// After it a step is undecided: as if a team waited an hour.
pub(super) const DECISION_DEADLINE: Duration = Duration::from_mins(4);
/// Name of the service's template.
pub(super) const TEMPLATE: &str = "errors";

/// Errors in batches of 2.5 on average, as of retries and lost connections: their variance is
/// four times that of independent ones. Every pod differs for good (sd 0.1 of the logarithm), is
/// three times as bad in its first 4 s (a minute), and once in 5 minutes (75) all pods of a
/// cluster fail 5 % more of their requests for 4 s. A worse release has more of all of these errors.
pub(super) const NOISE: Noise = Noise {
    burst_mean: 2.5,
    episode_every: Duration::from_mins(5),
    episode: Duration::from_secs(4),
    episode_error_rate: 0.05,
    pod_sd: 0.1,
    pod_factor: 1.0,
    latency_sigma: 0.5,
    warm_up: Duration::from_secs(4),
    warm_up_factor: 3.0,
};

/// A day of 4 minutes, and half as much again for 4 s every 40 s.
pub(super) const LOAD: Shape = Shape {
    diurnal: Some(Diurnal { amplitude: 0.4, period: Duration::from_mins(4) }),
    bursts: Some(Bursts {
        every: Duration::from_secs(40),
        length: Duration::from_secs(4),
        extra_rps: 60,
    }),
};

/// The release of a group.
pub(super) fn release(version: &str, group: Group, seed: u64) -> Release {
    let factor = group.factor();
    // Worse in everything: were an episode as bad for both, the release would not be so bad in it.
    let episode_error_rate = NOISE.episode_error_rate * factor;
    let noise = Noise { episode_error_rate, ..NOISE };
    // All pods of a service share a seed, and so those of a cluster its episodes.
    Release::new(version).error_rate(SHARE * factor).latency_ms(4).noise(noise, seed)
}

/// Two clusters first, where evidence adds up, then the third. Chances and margins are the
/// defaults; times are the defaults divided by 15, but for the deadline.
pub(super) fn settings() -> Settings {
    let bake = json!({ "time": "0s", "samples": 0 });
    let steps = [10, 25, 50, 100].map(|weight| json!({ "weight": weight, "bake": bake }));
    let first = json!([{ "key": "member", "operator": "In", "values": ["m1", "m2"] }]);
    Settings {
        replicas: 3,
        waves: json!([
            {
                "name": "first",
                "clusterSelector": { "matchExpressions": first },
                "maxConcurrent": 2,
                "bake": bake,
            },
            { "name": "rest", "bake": bake },
        ]),
        steps: Value::from(steps.to_vec()),
        analysis: json!([{ "template": TEMPLATE }]),
        evidence: json!({
            "episode": "4s",
            "minDwell": "4s",
            "maxDwell": "20s",
            "decisionDeadline": format!("{}s", DECISION_DEADLINE.as_secs()),
        }),
        ..Settings::default()
    }
}

/// Errors compared pod by pod, at the default margins.
pub(super) fn template(namespace: &str) -> Value {
    let counter = |code: &str| format!("http_requests_total{{namespace=\"{namespace}\"{code}}}");
    json!({
        "apiVersion": "lockflight.dev/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": TEMPLATE, "namespace": namespace },
        "spec": { "metrics": [{
            "name": "errors",
            "compare": {
                "bad": counter(",code=~\"5..\""),
                "total": counter(""),
                "by": { "pod": {} },
                "warmUp": "6s",
            },
        }]},
    })
}
