//! The clusters of a rollout, window by window.

use crate::{
    noise::load::Load,
    number::{float, size},
    random::Random,
    scenario::{CLUSTERS, Scenario},
};

/// Bad share that an outage or an episode adds.
const TROUBLE: f64 = 0.10;

/// How long both last on average, seconds.
const OUTAGE_S: f64 = 120.0;
const EPISODE_S: f64 = 90.0;

/// How long a new pod is cold, seconds.
const COLD_S: f64 = 60.0;

/// Time constants of the wandering rates, seconds.
const LOAD_TAU_S: f64 = 60.0;
const SHARED_TAU_S: f64 = 180.0;
const POD_TAU_S: f64 = 60.0;

/// No pod fails more than this.
const SHARE_MAX: f64 = 0.9;

/// One pod in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCount {
    /// Whether it runs the release.
    pub is_canary: bool,
    /// Windows since its first traffic.
    pub age: u32,
    /// Bad events.
    pub bad: u64,
    /// All events.
    pub events: u64,
}

/// A rate that wanders around its mean: an AR(1) process.
#[derive(Debug, Clone, Copy)]
struct Wander {
    value: f64,
}

/// How far an AR(1) process of this time constant keeps its value over a window, and how much
/// new noise it takes in.
#[derive(Debug, Clone, Copy)]
struct Keep {
    old: f64,
    new: f64,
}

impl Keep {
    fn over(window_s: f64, tau_s: f64) -> Self {
        let old = (-window_s / tau_s).exp();
        Self { old, new: (1.0 - old * old).sqrt() }
    }
}

impl Wander {
    fn new(random: &mut Random) -> Self {
        Self { value: random.normal() }
    }

    /// The factor of this window: lognormal of mean 1.
    fn step(&mut self, keep: Keep, sd: f64, random: &mut Random) -> f64 {
        if sd <= 0.0 {
            return 1.0;
        }
        self.value = keep.old * self.value + keep.new * random.normal();
        (sd * self.value - sd * sd / 2.0).exp()
    }
}

#[derive(Debug, Clone)]
struct Pod {
    is_canary: bool,
    age: u32,
    wander: Wander,
    lasting: f64,
    in_episode: bool,
}

/// One cluster.
#[derive(Debug, Clone)]
struct Cluster {
    random: Random,
    load: Load,
    load_wander: Wander,
    shared: Wander,
    in_outage: bool,
    pods: Vec<Pod>,
    age_s: f64,
}

/// All clusters of a run.
#[derive(Debug, Clone)]
pub struct World {
    scenario: Scenario,
    clusters: Vec<Cluster>,
    counts: Vec<PodCount>,
    keep: [Keep; 3],
}

/// What a cluster did in a window.
#[derive(Debug)]
pub struct Seen<'w> {
    /// Per pod; none once the release has all of the traffic.
    pub pods: &'w [PodCount],
    /// Bad requests that there would not have been without the release: their expectation, given
    /// load and rate.
    pub excess: f64,
}

impl World {
    /// The world of this run.
    #[must_use]
    pub fn new(scenario: Scenario, key: &[u64]) -> Self {
        let keep =
            [LOAD_TAU_S, SHARED_TAU_S, POD_TAU_S].map(|tau_s| Keep::over(scenario.scrape_s, tau_s));
        let clusters = (0..CLUSTERS).map(|number| Cluster::new(&scenario, key, number)).collect();
        Self { scenario, clusters, counts: Vec::new(), keep }
    }

    /// A window of a cluster in which there is no release: all pods are stable's, as many as there
    /// will be beside the release.
    pub fn rest(&mut self, number: usize) -> &[PodCount] {
        let Self { scenario, clusters, counts, keep } = self;
        counts.clear();
        if let Some(cluster) = clusters.get_mut(number) {
            cluster.step(scenario, keep, 0.0, 1.0, counts);
        }
        counts
    }

    /// A window of a cluster at this weight, which must not be 0. `now_s` is the time since the
    /// rollout began.
    pub fn step(&mut self, number: usize, weight: f64, now_s: f64) -> Seen<'_> {
        let Self { scenario, clusters, counts, keep } = self;
        counts.clear();
        let Some(cluster) = clusters.get_mut(number) else {
            return Seen { pods: &[], excess: 0.0 };
        };
        let ratio = scenario.effect.at(number, now_s);
        let excess = cluster.step(scenario, keep, weight, ratio, counts);
        Seen { pods: counts, excess }
    }
}

impl Cluster {
    fn new(scenario: &Scenario, key: &[u64], number: usize) -> Self {
        let mut random = Random::of(&[key, &[number as u64]].concat());
        let load = Load::new(scenario.noise.shape, &mut random);
        let (load_wander, shared) = (Wander::new(&mut random), Wander::new(&mut random));
        let chance = scenario.noise.outages_per_hour / 3600.0 * OUTAGE_S;
        let in_outage = random.chance(chance);
        Self { random, load, load_wander, shared, in_outage, pods: Vec::new(), age_s: 0.0 }
    }

    fn step(
        &mut self,
        scenario: &Scenario,
        keep: &[Keep; 3],
        weight: f64,
        ratio: f64,
        counts: &mut Vec<PodCount>,
    ) -> f64 {
        let Scenario { noise, traffic, scrape_s, .. } = scenario;
        let [load_keep, shared_keep, pod_keep] = *keep;
        let random = &mut self.random;
        let load = self.load.step(*scrape_s, random)
            * self.load_wander.step(load_keep, noise.load_sd, random);
        let requests = traffic.requests_per_s * scrape_s * load;
        let base = traffic.share * self.shared.step(shared_keep, noise.shared_sd, random);
        self.in_outage =
            goes_on(self.in_outage, noise.outages_per_hour, OUTAGE_S, *scrape_s, random);
        let is_opening = self.age_s < noise.opening_outage_s;
        self.age_s += scrape_s;
        if weight >= 1.0 {
            self.pods.clear();
            return requests * base * (ratio - 1.0);
        }
        let outage = if self.in_outage || is_opening { TROUBLE } else { 0.0 };
        self.place(scenario, weight);
        let (canary, stable) = scenario.layout.pods(weight);
        let mean_canary = requests * weight / size(canary.max(1));
        let mean_stable = requests * (1.0 - weight) / size(stable);
        let mut canary_events = 0;
        let random = &mut self.random;
        for pod in &mut self.pods {
            let mean = if pod.is_canary { mean_canary } else { mean_stable };
            let events = random.poisson(mean);
            let own = pod.wander.step(pod_keep, noise.pod_sd, random) * pod.lasting;
            pod.in_episode =
                goes_on(pod.in_episode, noise.episodes_per_hour, EPISODE_S, *scrape_s, random);
            let is_cold = pod.is_canary && f64::from(pod.age) * scrape_s < COLD_S;
            let cold = if is_cold { noise.warm_up } else { 1.0 };
            let worse = if pod.is_canary { ratio } else { 1.0 };
            let episode = if pod.in_episode { TROUBLE } else { 0.0 };
            let share = (base * own * cold * worse + outage + episode).min(SHARE_MAX);
            let bad = random.batches(float(events) * share, noise.batch_mean).min(events);
            counts.push(PodCount { is_canary: pod.is_canary, age: pod.age, bad, events });
            pod.age = pod.age.saturating_add(1);
            canary_events += if pod.is_canary { events } else { 0 };
        }
        float(canary_events) * base * (ratio - 1.0)
    }

    /// Brings the pods to what this weight asks for. A stable pod that makes room is gone, and
    /// the canary's that takes its place is new.
    fn place(&mut self, scenario: &Scenario, weight: f64) {
        let (canary, stable) = scenario.layout.pods(weight);
        let count = |pods: &[Pod], is_canary: bool| {
            pods.iter().filter(|pod| pod.is_canary == is_canary).count()
        };
        let is_first = self.pods.is_empty();
        while count(&self.pods, false) > stable {
            let Some(place) = self.pods.iter().rposition(|pod| !pod.is_canary) else { break };
            self.pods.remove(place);
        }
        for (is_canary, wanted) in [(true, canary), (false, stable)] {
            for _ in count(&self.pods, is_canary)..wanted {
                // Stable has been there for long; the canary is new.
                let age = if is_canary || !is_first { 0 } else { 1_000_000 };
                let pod = Pod::new(scenario, is_canary, age, &mut self.random);
                self.pods.push(pod);
            }
        }
    }
}

impl Pod {
    fn new(scenario: &Scenario, is_canary: bool, age: u32, random: &mut Random) -> Self {
        let sd = scenario.noise.lasting_sd;
        let lasting = if sd > 0.0 { (sd * random.normal() - sd * sd / 2.0).exp() } else { 1.0 };
        Self { is_canary, age, wander: Wander::new(random), lasting, in_episode: false }
    }
}

/// Whether trouble of this rate and mean length is there in the next window.
fn goes_on(is_there: bool, per_hour: f64, mean_s: f64, window_s: f64, random: &mut Random) -> bool {
    if is_there {
        !random.chance(1.0 - (-window_s / mean_s).exp())
    } else {
        random.chance(per_hour / 3600.0 * window_s)
    }
}

#[cfg(test)]
mod tests {
    use super::{PodCount, World};
    use crate::{
        noise::Noise,
        scenario::{Effect, Scenario, Traffic},
    };

    fn pods(scenario: Scenario, windows: u32) -> Vec<PodCount> {
        let mut world = World::new(scenario, &[1, 2]);
        let mut found = Vec::new();
        for _ in 0..windows {
            found.extend_from_slice(world.step(0, 0.25, 0.0).pods);
        }
        found
    }

    #[test]
    fn rates_are_what_was_asked_for() {
        let scenario = Scenario::new(Traffic::B, Noise::IDEAL).with(Effect::times(3.0));
        let found = pods(scenario, 2000);
        let rate = |is_canary| {
            let of = found.iter().filter(|pod| pod.is_canary == is_canary);
            let (bad, events) = of.fold((0, 0), |sum, pod| (sum.0 + pod.bad, sum.1 + pod.events));
            super::float(bad) / super::float(events)
        };
        assert!((rate(false) / 0.001 - 1.0).abs() < 0.03, "{}", rate(false));
        assert!((rate(true) / 0.003 - 1.0).abs() < 0.03, "{}", rate(true));
    }

    #[test]
    fn a_key_gives_the_same_world_always() {
        let scenario = Scenario::new(Traffic::A, Noise::HELD_OUT);
        assert_eq!(pods(scenario, 50), pods(scenario, 50));
    }

    #[test]
    fn a_raise_brings_new_pods() {
        let mut world = World::new(Scenario::new(Traffic::A, Noise::ROUGH), &[3]);
        world.step(0, 0.05, 0.0);
        let seen = world.step(0, 0.25, 0.0);
        let ages: Vec<u32> =
            seen.pods.iter().filter(|pod| pod.is_canary).map(|pod| pod.age).collect();
        assert_eq!(ages, [1, 0, 0, 0, 0]);
        assert_eq!(seen.pods.len(), 20);
        assert!(world.step(0, 1.0, 0.0).pods.is_empty());
    }
}
