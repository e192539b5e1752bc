//! Stable judged against itself: how often this judge would take back a release that changes
//! nothing, and how soon it would see one that is worse.
//!
//! Each trial begins at a random moment of the history, gives random stable pods the part of the
//! canary, and shows the judge what they really did, at the rollout's own steps. What the pods
//! did is real, and with it the batches, the differences of pods and the bursts; only the
//! labels are drawn.
//!
//! As in a rollout, the judge is calibrated from the time before it, without the pods that play
//! the canary first: those of a release are new, and of few pods one that stands out is in what
//! the spread is estimated from, so that it would never stand out by enough.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{draw::Draw, interval::Interval};
use crate::figures::{float, whole};
use crate::judge::{
    Arm, Calibration, Cell, ClusterName, Counts, Evidence, Judge, MetricName, Observation, Window,
    calibrate,
};

/// The lower bar at which crossings are counted too, because those of the real one are too rare
/// to be counted in a short history. A fair bet reaches 4 with a chance of at most 1/4.
const LOWER_BAR: f64 = 4.0;

/// Windows before a trial from which the judge is calibrated; with fewer the usual is assumed.
const CALIBRATION_WINDOWS_MIN: usize = 20;

/// Episodes of the past that the hub reads when a rollout begins: 240 windows.
const EPISODES: i32 = 60;

/// Trials at most: ten thousand have an interval of a percent.
const TRIALS_MAX: usize = 10_000;

/// A step of the rollout that is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Part of the pods that the canary has, from 0 to 1; at least one pod, and never all.
    pub share: f64,
    /// How long it lasts.
    pub length: TimeDelta,
}

/// What stable did.
#[derive(Debug, Clone, Copy)]
pub struct Fleet<'a> {
    /// The judge of the rollout.
    pub judge: &'a Judge,
    /// Windows of the past, of which the stable cells count.
    pub history: &'a [Observation],
}

/// What is tried, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Trials<'a> {
    /// The steps, the same in every cluster at the same time.
    pub stages: &'a [Stage],
    /// How many rollouts are tried, at most 10 000.
    pub trials: usize,
    /// The same seed gives the same trials.
    pub seed: u64,
}

/// What stable against stable showed.
#[derive(Debug, Clone, PartialEq)]
pub struct StableTrial {
    /// Rollouts that were tried.
    pub trials: usize,
    /// Rollouts that follow each other in the history, at most: those that overlap in time
    /// repeat each other.
    pub independent: f64,
    /// Rollouts taken back though nothing changed.
    pub aborted: usize,
    /// Their part.
    pub aborts: Interval,
    /// Rollouts in which the evidence against the release reached 4 at some time.
    pub above_four: usize,
    /// Their part.
    pub fours: Interval,
}

/// How soon a release was taken back that fails a multiple of stable's requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The multiple.
    pub factor: f64,
    /// Rollouts that were tried.
    pub trials: usize,
    /// Those taken back before their steps ended.
    pub found: usize,
    /// Time to half of all trials being taken back; none when fewer were.
    pub median: Option<TimeDelta>,
    /// Time to nine in ten, likewise.
    pub nine_in_ten: Option<TimeDelta>,
}

/// Why stable cannot be judged against itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// The history is shorter than the rollout.
    #[error(
        "the history is {have} s and the rollout lasts {need} s; read further back with --since"
    )]
    Short {
        /// The history, in seconds.
        have: i64,
        /// The rollout, in seconds.
        need: i64,
    },
    /// No cluster has two pods with a window in common.
    #[error("no cluster has two stable pods in the history; one has to play the canary")]
    Pods,
    /// There is no step.
    #[error("the rollout has no step in which both revisions run")]
    Stages,
}

/// Tries releases that change nothing.
pub fn stable_against_stable(fleet: Fleet<'_>, trials: Trials<'_>) -> Result<StableTrial, NoTrial> {
    let past = Past::of(fleet, trials)?;
    let runs: Vec<Run> = (0..past.trials).map(|trial| past.run(trial, 1.0)).collect();
    let aborted = runs.iter().filter(|run| run.after.is_some()).count();
    let above_four = runs.iter().filter(|run| run.most_ln >= LOWER_BAR.ln()).count();
    let of = |hits| Interval::of(hits, past.trials, past.independent);
    Ok(StableTrial {
        trials: past.trials,
        independent: past.independent,
        aborted,
        aborts: of(aborted),
        above_four,
        fours: of(above_four),
    })
}

/// Tries releases of which each bad event counts `factor` times.
pub fn detect(fleet: Fleet<'_>, trials: Trials<'_>, factor: f64) -> Result<Detection, NoTrial> {
    let past = Past::of(fleet, trials)?;
    let mut times: Vec<TimeDelta> =
        (0..past.trials).filter_map(|trial| past.run(trial, factor).after).collect();
    times.sort_unstable();
    let at = |tenths: usize| times.get((past.trials * tenths).div_ceil(10).max(1) - 1).copied();
    Ok(Detection {
        factor,
        trials: past.trials,
        found: times.len(),
        median: at(5),
        nine_in_ten: at(9),
    })
}

/// The pods of each cluster by name, with their places in a random order.
type Order<'a> = BTreeMap<&'a str, BTreeMap<&'a str, usize>>;

/// A trial's end.
struct Run {
    /// The most evidence against the release.
    most_ln: f64,
    /// When it was taken back, from its beginning.
    after: Option<TimeDelta>,
}

/// The history, ready for trials.
struct Past<'a> {
    judge: &'a Judge,
    stages: &'a [Stage],
    seed: u64,
    trials: usize,
    independent: f64,
    length: TimeDelta,
    /// By their end.
    rounds: BTreeMap<DateTime<Utc>, Vec<&'a Observation>>,
    /// Moments at which a trial may begin.
    beginnings: Vec<DateTime<Utc>>,
}

impl<'a> Past<'a> {
    fn of(fleet: Fleet<'a>, trials: Trials<'a>) -> Result<Self, NoTrial> {
        let length: TimeDelta = trials.stages.iter().map(|stage| stage.length).sum();
        if length <= TimeDelta::zero() {
            return Err(NoTrial::Stages);
        }
        let mut rounds: BTreeMap<DateTime<Utc>, Vec<&Observation>> = BTreeMap::new();
        for observation in fleet.history.iter().filter(|one| stable(&one.window).count() > 1) {
            rounds.entry(observation.window.ends_at).or_default().push(observation);
        }
        let (Some((first, round)), Some((last, _))) =
            (rounds.first_key_value(), rounds.last_key_value())
        else {
            return Err(NoTrial::Pods);
        };
        let first = *first - round.iter().map(|one| one.window.length).max().unwrap_or_default();
        let span = *last - first;
        if span < length {
            let (have, need) = (span.num_seconds(), length.num_seconds());
            return Err(NoTrial::Short { have, need });
        }
        let latest = *last - length;
        let beginnings =
            std::iter::once(first).chain(rounds.range(..=latest).map(|(at, _)| *at)).collect();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of days")]
        let independent = span.num_milliseconds() as f64 / length.num_milliseconds().max(1) as f64;
        Ok(Self {
            judge: fleet.judge,
            stages: trials.stages,
            seed: trials.seed,
            trials: trials.trials.clamp(1, TRIALS_MAX),
            independent,
            length,
            rounds,
            beginnings,
        })
    }

    /// One rollout. The draws of a trial are the same for every factor.
    fn run(&self, trial: usize, factor: f64) -> Run {
        let mut draw = Draw::new(self.seed ^ (trial as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let begins =
            self.beginnings.get(draw.below(self.beginnings.len())).copied().unwrap_or_default();
        let ends = begins.checked_add_signed(self.length).unwrap_or(begins);
        let order = self.order(&mut draw, begins, ends);
        let before = self.before(&order, begins);
        let calibrations = self.calibrations(&order, &before);
        let mut evidence = Evidence::default();
        // Windows without a canary are no evidence, but the past that the first one is held to.
        self.judge.observe(&mut evidence, &calibrations, before);
        let mut run = Run { most_ln: f64::NEG_INFINITY, after: None };
        let after = (std::ops::Bound::Excluded(begins), std::ops::Bound::Included(ends));
        for (at, round) in self.rounds.range(after) {
            let share = self.share(*at - begins);
            // A window that began before the rollout is not of it.
            let whole = round.iter().filter(|one| one.window.ends_at - one.window.length >= begins);
            let shown = whole.filter_map(|one| relabel(one, &order, share, factor)).collect();
            self.judge.observe(&mut evidence, &calibrations, shown);
            let standing = self.judge.standing(&evidence);
            run.most_ln = run.most_ln.max(standing.against_ln);
            if standing.crossed.is_some() {
                run.after = Some(*at - begins);
                break;
            }
        }
        run
    }

    /// The share of the step at this time: a window belongs to the step in which it ends.
    fn share(&self, elapsed: TimeDelta) -> f64 {
        let mut until = TimeDelta::zero();
        for stage in self.stages {
            until += stage.length;
            if elapsed <= until {
                return stage.share;
            }
        }
        0.0
    }

    /// The pods of each cluster in a random order: the first ones play the canary.
    fn order(&self, draw: &mut Draw, begins: DateTime<Utc>, ends: DateTime<Utc>) -> Order<'a> {
        let mut pods: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in self.rounds.range(begins..=ends).flat_map(|(_, round)| round) {
            let names = stable(&one.window).map(|cell| &*cell.pod);
            pods.entry(&one.cluster).or_default().extend(names);
        }
        let shuffled = pods.into_iter().map(|(cluster, names)| {
            let mut names: Vec<&str> = names.into_iter().collect();
            draw.shuffle(&mut names);
            (cluster, names.into_iter().enumerate().map(|(at, name)| (name, at)).collect())
        });
        shuffled.collect()
    }

    /// What the hub reads of stable when the rollout begins: of counters, an hour in windows of a
    /// quarter of a minute.
    fn before(&self, order: &Order<'a>, begins: DateTime<Utc>) -> Vec<Observation> {
        let since = begins.checked_sub_signed(self.judge.episode * EPISODES).unwrap_or(begins);
        let counters = self.judge.metrics.iter().filter(|plan| plan.streams <= 1);
        let counters: BTreeSet<&MetricName> = counters.map(|plan| &plan.name).collect();
        let past = self.rounds.range(since..=begins).flat_map(|(_, round)| round);
        let known = past.filter(|one| one.stream == 0 && counters.contains(&one.metric));
        let without_canaries = known.map(|one| {
            let order = order.get(&*one.cluster);
            let pods = order.map_or(0, BTreeMap::len);
            // At most a quarter of them, and not those of later steps: the others have to tell
            // how pods differ as well as all of the hub's would.
            let left_out = canaries(self.first_share(), pods).min((pods / 4).max(1));
            let stays = |cell: &&Cell| {
                let place = order.and_then(|order| order.get(&*cell.pod));
                place.is_none_or(|place| *place >= left_out)
            };
            let cells = stable(&one.window).filter(stays).cloned().collect();
            let window = Window { counts: Counts::Cells(cells), ..one.window.clone() };
            Observation { window, ..(*one).clone() }
        });
        without_canaries.collect()
    }

    /// The canary's share of the first step.
    fn first_share(&self) -> f64 {
        self.stages.first().map_or(0.0, |stage| stage.share)
    }

    /// What the hub would know from it.
    fn calibrations(
        &self,
        order: &Order<'a>,
        before: &[Observation],
    ) -> BTreeMap<(MetricName, ClusterName), Calibration> {
        let mut windows: BTreeMap<(MetricName, ClusterName), Vec<Window>> = BTreeMap::new();
        for one in before {
            let key = (one.metric.clone(), one.cluster.clone());
            windows.entry(key).or_default().push(one.window.clone());
        }
        windows
            .into_iter()
            .filter(|(_, windows)| windows.len() >= CALIBRATION_WINDOWS_MIN)
            .map(|(key, windows)| {
                let pods = order.get(&*key.1).map_or(0, BTreeMap::len);
                let found = calibrate(&windows, canaries(self.first_share(), pods));
                (key, found)
            })
            .collect()
    }
}

/// Of so many pods those that play the canary: at least one, and never all.
fn canaries(share: f64, pods: usize) -> usize {
    let all = u64::try_from(pods).unwrap_or(u64::MAX);
    let canaries = whole((share * float(all)).round()).clamp(1, all.saturating_sub(1).max(1));
    usize::try_from(canaries).unwrap_or(usize::MAX)
}

fn stable(window: &Window) -> impl Iterator<Item = &Cell> {
    let cells = match &window.counts {
        Counts::Cells(cells) => cells.as_slice(),
        Counts::Arms { .. } => &[],
    };
    cells.iter().filter(|cell| cell.arm == Arm::Stable)
}

/// The window as the judge would see it, had the first of its pods been the canary.
fn relabel(one: &Observation, order: &Order<'_>, share: f64, factor: f64) -> Option<Observation> {
    let order = order.get(&*one.cluster)?;
    let place = |cell: &Cell| order.get(&*cell.pod).copied();
    // Of those that are there: when pods are replaced, others play their part.
    let mut places: Vec<usize> = stable(&one.window).filter_map(place).collect();
    places.sort_unstable();
    let last = *places.get(canaries(share, places.len()) - 1)?;
    let cells = stable(&one.window).map(|cell| {
        if place(cell).is_some_and(|place| place <= last) {
            let bad = whole((float(cell.bad) * factor).round()).min(cell.events);
            Cell { arm: Arm::Canary, bad, ..cell.clone() }
        } else {
            cell.clone()
        }
    });
    let window = Window { counts: Counts::Cells(cells.collect()), ..one.window.clone() };
    Some(Observation { window, ..one.clone() })
}
