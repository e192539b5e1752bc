//! Releases judged by a gauge, from samples to verdict: as much memory is promoted, twice as much
//! is taken back, and equal pods win nothing on average.

use chrono::TimeDelta;
use fastrand::Rng;

use super::{
    super::{Answers, Cursor, Level, PodFacts, Pods, RawSeries, Round, Settings, read},
    answer, at, counter, settings,
};
use crate::judge::{
    Arm, Cell, ClusterName, Counts, Evidence, Judge, Margin, Margins, MetricPlan, Observation,
    Standing, Window,
};

/// Seconds before the opening of which there are samples.
const BEFORE: f64 = 360.0;

/// Pods of one cluster.
#[derive(Debug, Clone, Copy)]
struct World {
    canary: usize,
    stable: usize,
    /// Memory of a canary pod over that of a stable one.
    ratio: f64,
    /// Spread of lasting differences of pods, and of what comes and goes, of the logarithm.
    pod_sd: f64,
    noise_sd: f64,
    /// How much of what comes and goes is still there after a scrape.
    kept: f64,
    level: Level,
}

impl World {
    /// Memory as services have it: pods differ by a tenth, and move slowly by a twentieth.
    fn usual(canary: usize, stable: usize, ratio: f64) -> Self {
        let level = Level::BeyondStable(1.25);
        Self { canary, stable, ratio, pod_sd: 0.1, noise_sd: 0.05, kept: 0.9, level }
    }

    /// The windows of the first `minutes` from the opening on.
    fn windows(&self, random: &mut Rng, minutes: f64) -> Vec<Window> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let scrapes = ((BEFORE + minutes * 60.0) / 15.0) as usize;
        let mut series: Vec<RawSeries> = Vec::new();
        let mut pods = Pods::new();
        for n in 0..self.canary + self.stable {
            let arm = if n < self.canary { Arm::Canary } else { Arm::Stable };
            let ratio = if arm == Arm::Canary { self.ratio } else { 1.0 };
            let usual = 2e8 * ratio * (self.pod_sd * normal(random)).exp();
            let fresh = (1.0 - self.kept * self.kept).sqrt();
            let mut noise = normal(random);
            let values: Vec<f64> = std::iter::repeat_with(|| {
                noise = self.kept * noise + fresh * normal(random);
                usual * (self.noise_sd * noise).exp()
            })
            .take(scrapes)
            .collect();
            let name = format!("p{n}");
            series.push(counter(&name, 1.0 + random.f64() * 14.0 - BEFORE, &values));
            let old = Some(at(-3600.0));
            let facts = PodFacts { created_at: old, first_traffic: old, ..PodFacts::of(arm) };
            pods.insert(name.into(), facts);
        }
        let until = minutes * 60.0;
        let answers = Answers::Gauge(answer(until, until + BEFORE, series));
        let (settings, skew) = (Settings { level: self.level, ..settings() }, TimeDelta::zero());
        let (settings, pods, answers) = (&settings, &pods, &answers);
        let found =
            read(&Cursor::default(), &Round { settings, pods, answers, since: at(0.0), skew });
        found.windows.into_iter().map(|found| found.window).collect()
    }
}

/// A draw of the standard normal law (Box & Muller 1958).
fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

fn judge(clusters: usize) -> Judge {
    let margin = |ratio, difference| Margin { ratio, difference };
    Judge {
        metrics: vec![MetricPlan {
            name: "memory".into(),
            weight: 1.0,
            promotes: true,
            margins: Margins { tolerate: margin(1.25, 0.05), rule_out: margin(2.0, 0.2) },
            streams: 1,
        }],
        clusters: (0..clusters).map(|n| format!("c{n}").into()).collect(),
        false_abort: 0.05,
        missed: 0.05,
        episode: TimeDelta::seconds(60),
    }
}

fn show(judge: &Judge, evidence: &mut Evidence, cluster: &ClusterName, window: Window) -> Standing {
    let (metric, cluster) = ("memory".into(), cluster.clone());
    let round = vec![Observation { metric, stream: 0, cluster, window }];
    let _ = judge.observe(evidence, &std::collections::BTreeMap::new(), round);
    judge.standing(evidence)
}

/// Windows until the release is taken back and until it is promoted, and how it stands at last.
fn run(world: World, random: &mut Rng, minutes: f64) -> (Option<usize>, Option<usize>, Standing) {
    let judge = judge(1);
    let mut evidence = Evidence::default();
    let (mut aborted, mut promoted) = (None, None);
    let mut last = judge.standing(&evidence);
    let windows = world.windows(random, minutes);
    for (number, window) in windows.into_iter().enumerate() {
        last = show(&judge, &mut evidence, &judge.clusters[0], window);
        aborted = aborted.or_else(|| last.crossed.is_some().then_some(number));
        let favoured = last.in_favour_ln >= last.in_favour_bar_ln;
        promoted = promoted.or_else(|| favoured.then_some(number));
    }
    (aborted, promoted, last)
}

#[test]
fn twice_the_memory_is_taken_back_and_as_much_is_promoted() {
    let mut random = Rng::with_seed(11);
    // Canary and stable pods, and the minutes within which either is decided.
    for (canary, stable, minutes) in [(1, 1, 25.0), (1, 3, 15.0), (2, 6, 10.0), (5, 15, 6.0)] {
        for _ in 0..12 {
            let twice = World::usual(canary, stable, 2.0);
            let (aborted, promoted, last) = run(twice, &mut random, minutes);
            assert!(aborted.is_some() && promoted.is_none(), "{twice:?}: {}", last.sentence);
        }
        let mut promotions = 0;
        for _ in 0..12 {
            let equal = World::usual(canary, stable, 1.0);
            let (aborted, promoted, _) = run(equal, &mut random, minutes);
            promotions += usize::from(promoted.is_some() && aborted.is_none());
        }
        assert!(promotions >= 10, "{canary}+{stable} pods: {promotions} of 12");
    }
}

/// Pods that differ for a long time are what cells do not expect.
#[test]
fn equal_releases_are_hardly_ever_taken_back() {
    let usual = World::usual(1, 3, 1.0);
    let worlds = [
        usual,
        World::usual(1, 1, 1.0),
        World::usual(3, 9, 1.0),
        World { noise_sd: 0.3, kept: 0.0, ..usual },
        World { noise_sd: 0.3, kept: 0.5, pod_sd: 0.0, ..usual },
    ];
    for world in worlds {
        let mut random = Rng::with_seed(5);
        let runs = 300;
        let aborted = (0..runs).filter(|_| run(world, &mut random, 30.0).0.is_some()).count();
        assert!(aborted * 20 <= runs, "{world:?}: {aborted} of {runs}");
    }
}

/// What equal pods win is at most what was staked: on average, over whole releases.
#[test]
fn pods_that_are_alike_win_nothing_on_average() {
    let worlds = [(1, 3, 0.0), (2, 2, 0.0), (3, 5, 0.6)];
    for (canary, stable, kept) in worlds {
        let usual = World::usual(canary, stable, 1.0);
        // So unsteady that one cell in three is above the level.
        let level = Level::Above(2.5e8);
        let world = World { pod_sd: 0.0, noise_sd: 0.5, kept, level, ..usual };
        let mut random = Rng::with_seed(3);
        let ends: Vec<f64> =
            (0..150).map(|_| run(world, &mut random, 20.0).2.against_ln.exp()).collect();
        let count = 150.0_f64;
        let mean = ends.iter().sum::<f64>() / count;
        let variance = ends.iter().map(|end| (end - mean).powi(2)).sum::<f64>() / count;
        let error = (variance / count).sqrt();
        assert!(mean <= 1.0 + 3.0 * error, "{world:?}: {mean} ± {error}");
        assert!(ends.iter().any(|end| (end - 1.0).abs() > 0.01), "nothing is staked");
    }
}

fn cells(canary: usize, pods: usize, bad: usize) -> Vec<Cell> {
    let cell = |pod: usize| Cell {
        arm: if pod < canary { Arm::Canary } else { Arm::Stable },
        pod: format!("p{pod}").into(),
        bad: u64::from(bad >> pod & 1 == 1),
        events: 1,
    };
    (0..pods).map(cell).collect()
}

fn window(number: i32, cells: Vec<Cell>) -> Window {
    let ends_at = at(15.0 * f64::from(number));
    Window { ends_at, length: TimeDelta::seconds(15), counts: Counts::Cells(cells) }
}

/// `E` against the release and in its favour after these sets of high pods, one per window.
fn after(judge: &Judge, canary: usize, pods: usize, sets: &[usize]) -> (f64, f64) {
    let mut evidence = Evidence::default();
    let mut last = judge.standing(&evidence);
    for (number, bad) in (1..).zip(sets) {
        let window = window(number, cells(canary, pods, *bad));
        last = show(judge, &mut evidence, &judge.clusters[0], window);
    }
    (last.against_ln.exp(), last.in_favour_ln.exp())
}

/// Every way in which so many of the pods can be high, each as likely as any other, in two
/// windows in a row: whatever the numbers are, the mean of E is at most 1.
#[test]
fn whoever_is_high_by_chance_wins_nothing() {
    let judge = judge(1);
    for (canary, stable) in [(1, 1), (1, 3), (3, 1), (2, 3)] {
        let pods: usize = canary + stable;
        let of_size =
            |size: usize| (0..1_usize << pods).filter(move |set| set.count_ones() as usize == size);
        for (first, second) in (0..=pods).flat_map(|a| (0..=pods).map(move |b| (a, b))) {
            let ways = of_size(first).flat_map(|a| of_size(second).map(move |b| [a, b]));
            let found: Vec<f64> = ways.map(|sets| after(&judge, canary, pods, &sets).0).collect();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            assert!(mean <= 1.0 + 1e-9, "{canary}+{stable} pods, {first}, {second}: {mean}");
        }
    }
}

/// A release at the edge of what has to be ruled out wins nothing in its favour.
#[test]
fn what_must_be_ruled_out_is_not_favoured() {
    let judge = judge(1);
    for (canary, stable) in [(1, 1), (1, 3), (3, 1), (2, 3)] {
        let pods = canary + stable;
        for stable_share in [0.0, 0.05, 0.2, 0.4] {
            // Beyond both margins.
            let canary_share: f64 = (2.0_f64 * stable_share).max(stable_share + 0.2);
            let chance = |set: usize| -> f64 {
                let of = |pod: usize| if pod < canary { canary_share } else { stable_share };
                let one = |pod: usize| if set >> pod & 1 == 1 { of(pod) } else { 1.0 - of(pod) };
                (0..pods).map(one).product()
            };
            let sets = || 0..1_usize << pods;
            let mean: f64 = sets()
                .flat_map(|a| sets().map(move |b| [a, b]))
                .map(|sets| {
                    let chance = chance(sets[0]) * chance(sets[1]);
                    chance * after(&judge, canary, pods, &sets).1
                })
                .sum();
            assert!(mean <= 1.0 + 1e-9, "{canary}+{stable} pods at {stable_share}: {mean}");
        }
    }
}
