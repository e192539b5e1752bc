//! What a release runs, and how the service rolls out.

use serde_json::{Map, Value, json};

use crate::app::Noise;

/// What the pods of one release run.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// The version that its pods name in `x-version`; also the tag of the image.
    pub version: String,
    /// The image without its tag.
    pub image: String,
    /// The share of requests that fail, from 0 to 1, in every cluster.
    pub error_rate: f64,
    /// Extra latency of every request.
    pub latency_ms: u64,
    /// How errors and latency vary: bursts, episodes, pods that differ.
    pub noise: Noise,
    /// Decides, with the names of the pods, every draw of the noise. Releases that are to share
    /// their clusters' episodes need the same.
    pub noise_seed: u64,
    /// How long a pod listens before it is healthy.
    pub start_delay_ms: u64,
    /// How long a pod goes on serving after SIGTERM.
    pub stop_delay_ms: u64,
    /// Memory that each pod holds for nothing.
    pub ballast_mib: u32,
    /// Requests after which each process ends, whatever is under way.
    pub crash_after_requests: Option<u64>,
}

impl Release {
    /// A healthy release whose pods take a little while to start and stop gracefully.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            image: crate::fleet::DEMO_IMAGE.to_owned(),
            error_rate: 0.0,
            latency_ms: 0,
            noise: Noise::default(),
            noise_seed: 0,
            start_delay_ms: 300,
            stop_delay_ms: 500,
            ballast_mib: 0,
            crash_after_requests: None,
        }
    }

    /// With so many errors everywhere.
    #[must_use]
    pub fn error_rate(mut self, rate: f64) -> Self {
        self.error_rate = rate;
        self
    }

    /// Slower by so much everywhere.
    #[must_use]
    pub fn latency_ms(mut self, latency_ms: u64) -> Self {
        self.latency_ms = latency_ms;
        self
    }

    /// With the noise of a real service.
    #[must_use]
    pub fn noise(mut self, noise: Noise, seed: u64) -> Self {
        self.noise = noise;
        self.noise_seed = seed;
        self
    }

    /// With pods that take so long to get healthy.
    #[must_use]
    pub fn start_delay_ms(mut self, start_delay_ms: u64) -> Self {
        self.start_delay_ms = start_delay_ms;
        self
    }

    /// With pods that hold so much memory for nothing.
    #[must_use]
    pub fn ballast_mib(mut self, ballast_mib: u32) -> Self {
        self.ballast_mib = ballast_mib;
        self
    }

    /// With processes that end after so many requests.
    #[must_use]
    pub fn crash_after_requests(mut self, requests: u64) -> Self {
        self.crash_after_requests = Some(requests);
        self
    }

    /// With another image (without its tag).
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }
}

/// How the service rolls out. The parts are those of the Rollout's spec, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Pods of a revision at full size, per member.
    pub replicas: u32,
    /// `spec.placement`: every member of the fleet.
    pub placement: Value,
    /// `spec.waves`: the first member alone, then the others at once.
    pub waves: Value,
    /// `spec.strategy.canary.steps`.
    pub steps: Value,
    /// `spec.strategy.canary.scaleDownDelay`.
    pub scale_down_delay: String,
    /// `spec.analysis`.
    pub analysis: Value,
    /// `spec.failurePolicy`.
    pub failure_policy: Value,
    /// `spec.evidence`: time is compressed, as the scrapes are.
    pub evidence: Value,
}

impl Default for Settings {
    /// Short bakes, so that a release through three members takes half a minute at 50 requests
    /// per second.
    fn default() -> Self {
        let bake = json!({ "time": "1s", "samples": 10 });
        Self {
            replicas: 2,
            placement: json!({ "clusterSelector": { "matchLabels": { "tier": "prod" } } }),
            waves: json!([
                {
                    "name": "first",
                    "clusterSelector": { "matchLabels": { "member": "m1" } },
                    "bake": { "time": "0s", "samples": 0 },
                },
                { "name": "rest", "maxConcurrent": 2, "bake": { "time": "0s", "samples": 0 } },
            ]),
            steps: json!([
                { "weight": 25, "bake": bake },
                { "weight": 60, "bake": bake },
                { "weight": 100, "bake": bake },
            ]),
            scale_down_delay: "5s".to_owned(),
            analysis: json!([{ "template": super::TEMPLATE }]),
            failure_policy: json!({ "progressDeadline": "30s" }),
            evidence: json!({ "episode": "4s", "minDwell": "0s", "maxDwell": "2s" }),
        }
    }
}

impl Settings {
    /// With other steps: each `(weight, seconds of bake)`.
    #[must_use]
    pub fn steps(mut self, steps: &[(u8, u32)]) -> Self {
        self.steps = steps
            .iter()
            .map(|(weight, seconds)| {
                let bake = json!({ "time": format!("{seconds}s"), "samples": 0 });
                json!({ "weight": weight, "bake": bake })
            })
            .collect();
        self
    }

    /// In these members only.
    #[must_use]
    pub fn only(mut self, members: &[&str]) -> Self {
        let among = json!([{ "key": "member", "operator": "In", "values": members }]);
        self.placement = json!({ "clusterSelector": { "matchExpressions": among } });
        self
    }

    /// Without metrics, and so without a count of requests in the bakes.
    #[must_use]
    pub fn ungated(mut self) -> Self {
        self.analysis = json!([]);
        self.each_stage(|stage| {
            if let Some(bake) = stage.get_mut("bake").and_then(Value::as_object_mut) {
                bake.remove("samples");
            }
        });
        self
    }

    /// With nothing that a first release could wait for: no metrics, no approvals.
    pub(super) fn unguarded(self) -> Self {
        let mut settings = self.ungated();
        settings.each_stage(|stage| {
            stage.remove("approval");
        });
        settings
    }

    fn each_stage(&mut self, change: impl Fn(&mut Map<String, Value>)) {
        let lists = [&mut self.waves, &mut self.steps];
        let stages = lists.into_iter().flat_map(|list| list.as_array_mut().into_iter().flatten());
        stages.filter_map(Value::as_object_mut).for_each(change);
    }

    /// With another failure policy.
    #[must_use]
    pub fn failure_policy(mut self, policy: Value) -> Self {
        self.failure_policy = policy;
        self
    }

    /// With other waves.
    #[must_use]
    pub fn waves(mut self, waves: Value) -> Self {
        self.waves = waves;
        self
    }
}
