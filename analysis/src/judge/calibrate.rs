//! What stable shows against itself: batches of bad events, and lasting differences of pods.
//!
//! Batches. In blocks of eight windows (two minutes at a scrape every 15 s), groups of as many stable pods as the canary has play the
//! canary: `φ = Σ (k_A - πk)² / Σ π(1-π)k`, with π the group's part of the events. Every group of
//! neighbours in the order of names is taken, so nothing is drawn and all pods weigh the same.
//! A source without pods is compared with its own next block. φ is drawn towards 4 (as measured
//! on a quiet service) with the weight of 20 events; `b = (φ+1)/2` for geometric batches.
//!
//! Pods. By moments, `E (k_i - e_i)² = φ' e_i + σ² e_i²` over the whole history, `e_i` what pod i
//! would have at the common rate and φ' the dispersion of a pod around its own rate; drawn
//! towards 0.3 with the weight of 2 degrees of freedom.

use std::collections::BTreeMap;

use super::increments::float;
use super::settings::Calibration;
use super::window::{Arm, Counts, Window};

/// Windows in a block: bursts are mostly over within one, and an hour of history has 30 of them. In
/// windows, not minutes: with scrapes every second a few minutes of history are all there is, and
/// what two blocks say of batches is chance.
const BLOCK_WINDOWS: i64 = 8;

/// What is assumed before anything is known, and how many events that weighs.
const PHI_PRIOR: f64 = 4.0;
const EVENTS_PRIOR: f64 = 20.0;

/// Degrees of freedom that the assumption on pods weighs.
const FREEDOM_PRIOR: f64 = 2.0;

/// Blocks that the assumption weighs, for the upper bound.
const BLOCKS_PRIOR: f64 = 8.0;

/// Least mean batch of a source without pods: its next block differs for other reasons as well,
/// but one series tells too little to go below what is usual.
const AGGREGATED_MIN: f64 = 2.5;

/// Windows that are looked at, the latest ones: 6 hours of 15 seconds.
const WINDOWS_MAX: usize = 1440;

/// The one-sided 90 % point of the standard normal law.
const QUANTILE: f64 = 1.28;

/// Bad events and events.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    bad: f64,
    events: f64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.bad += other.bad;
        self.events += other.events;
    }
}

/// A sum of squared deviations and what it would be without batches.
#[derive(Debug, Clone, Copy, Default)]
struct Dispersion {
    squares: f64,
    expected: f64,
    bad: f64,
    blocks: f64,
}

impl Dispersion {
    /// Takes in how the bad events of a block fell to a group that has this part of its events.
    fn add(&mut self, group: f64, all: f64, part: f64) {
        self.squares += (group - part * all).powi(2);
        self.expected += part * (1.0 - part) * all;
    }

    /// φ, drawn towards what is usual.
    fn phi(&self) -> f64 {
        if self.expected <= 0.0 {
            return PHI_PRIOR;
        }
        let found = self.squares / self.expected;
        (self.bad * found + EVENTS_PRIOR * PHI_PRIOR) / (self.bad + EVENTS_PRIOR)
    }

    /// The calibration of batches: mean and upper bound.
    fn batches(&self) -> (f64, f64) {
        let phi = self.phi();
        let relative_sd = (2.0 / (self.blocks + BLOCKS_PRIOR)).sqrt();
        let of = |phi: f64| f64::midpoint(phi, 1.0).max(1.0);
        (of(phi), of(phi * (1.0 + QUANTILE * relative_sd)))
    }
}

/// Calibrates from windows of the past, of which only stable counts; `canary_pods` is how many
/// pods the canary will have at most times.
#[must_use]
pub fn calibrate(history: &[Window], canary_pods: usize) -> Calibration {
    let mut windows: Vec<&Window> = history.iter().collect();
    windows.sort_by_key(|window| window.ends_at);
    let skipped = windows.len().saturating_sub(WINDOWS_MAX);
    let block_ms = BLOCK_WINDOWS * usual_length_ms(&windows);
    let mut blocks: BTreeMap<i64, BTreeMap<&str, Sums>> = BTreeMap::new();
    let mut per_arm: BTreeMap<i64, Sums> = BTreeMap::new();
    for window in windows.into_iter().skip(skipped) {
        // By its middle, so that a window that ends with a block belongs to it.
        let middle = window.ends_at.timestamp_millis() - window.length.num_milliseconds() / 2;
        let block = middle.div_euclid(block_ms);
        match &window.counts {
            Counts::Cells(cells) => {
                let pods = blocks.entry(block).or_default();
                for cell in cells.iter().filter(|cell| cell.arm == Arm::Stable) {
                    let bad = float(cell.bad.min(cell.events));
                    let sums = Sums { bad, events: float(cell.events) };
                    pods.entry(&*cell.pod).or_default().add(sums);
                }
            }
            Counts::Arms { .. } => {
                let (_, stable) = window.arms();
                let sums = Sums { bad: float(stable.bad), events: float(stable.events) };
                per_arm.entry(block).or_default().add(sums);
            }
        }
    }
    if blocks.is_empty() && !per_arm.is_empty() {
        let (mean, upper) = successive(&per_arm).batches();
        return Calibration {
            batch_mean: mean.max(AGGREGATED_MIN),
            batch_mean_upper: upper.max(AGGREGATED_MIN),
            ..Calibration::default()
        };
    }
    let (batch_mean, batch_mean_upper) = groups(&blocks, canary_pods.max(1)).batches();
    Calibration { pod_sd: pod_sd(&blocks), batch_mean, batch_mean_upper }
}

/// The median length of these windows, at least a millisecond.
fn usual_length_ms(windows: &[&Window]) -> i64 {
    let mut lengths: Vec<i64> =
        windows.iter().map(|window| window.length.num_milliseconds()).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(1).max(1)
}

/// Groups of pods against the others.
fn groups(blocks: &BTreeMap<i64, BTreeMap<&str, Sums>>, size: usize) -> Dispersion {
    let mut found = Dispersion::default();
    for pods in blocks.values() {
        let all = total(pods.values());
        if pods.len() < 2 || all.bad <= 0.0 || all.events <= 0.0 {
            continue;
        }
        let size = size.min(pods.len() / 2).max(1);
        let sums: Vec<Sums> = pods.values().copied().collect();
        // Each group in part, so that a block weighs as one.
        let mut of_block = Dispersion::default();
        for first in 0..sums.len() {
            let group = total(sums.iter().cycle().skip(first).take(size));
            of_block.add(group.bad, all.bad, group.events / all.events);
        }
        let groups = count(sums.len());
        found.squares += of_block.squares / groups;
        found.expected += of_block.expected / groups;
        found.bad += all.bad;
        found.blocks += 1.0;
    }
    found
}

/// A block against the next one.
fn successive(blocks: &BTreeMap<i64, Sums>) -> Dispersion {
    let mut found = Dispersion::default();
    let mut pairs =
        blocks.iter().zip(blocks.iter().skip(1)).filter(|((a, _), (b, _))| *a + 1 == **b);
    for ((_, first), (_, second)) in &mut pairs {
        let (bad, events) = (first.bad + second.bad, first.events + second.events);
        if bad > 0.0 && events > 0.0 {
            found.add(first.bad, bad, first.events / events);
            // Each block is in two pairs.
            found.bad += bad / 2.0;
            found.blocks += 0.5;
        }
    }
    found
}

/// Standard deviation of lasting differences between pods, of the logarithm of their rates.
fn pod_sd(blocks: &BTreeMap<i64, BTreeMap<&str, Sums>>) -> f64 {
    let prior = Calibration::default().pod_sd;
    let mut pods: BTreeMap<&str, Expected> = BTreeMap::new();
    for block in blocks.values() {
        let all = total(block.values());
        if all.events <= 0.0 {
            continue;
        }
        for (name, sums) in block {
            let pod = pods.entry(name).or_default();
            pod.bad += sums.bad;
            pod.expected += all.bad * sums.events / all.events;
        }
    }
    // Within a pod: around its own rate, block by block.
    let (mut squares, mut expected) = (0.0, 0.0);
    for block in blocks.values() {
        let all = total(block.values());
        for (name, sums) in block.iter().filter(|_| all.events > 0.0) {
            let own =
                pods.get(name).map_or(0.0, |pod| pod.bad / pod.expected.max(f64::MIN_POSITIVE));
            let here = own * all.bad * sums.events / all.events;
            squares += (sums.bad - here).powi(2);
            expected += here;
        }
    }
    if pods.len() < 2 || expected <= 0.0 {
        return prior;
    }
    let within = (squares + EVENTS_PRIOR * PHI_PRIOR) / (expected + EVENTS_PRIOR);
    let between: f64 =
        pods.values().map(|pod| (pod.bad - pod.expected).powi(2) - within * pod.expected).sum();
    let scale: f64 = pods.values().map(|pod| pod.expected.powi(2)).sum();
    let found = (between / scale.max(f64::MIN_POSITIVE)).max(0.0);
    // What the history says about σ² weighs as its batches per pod, but never more than the
    // degrees of freedom that so many pods have: two that are alike prove little.
    let others = count(pods.len()) - 1.0;
    let weight = scale / expected / within * others;
    let freedom = others * weight / (weight + EVENTS_PRIOR);
    let variance = (freedom * found + FREEDOM_PRIOR * prior * prior) / (freedom + FREEDOM_PRIOR);
    variance.sqrt()
}

/// Bad events of a pod, and what they would be at the common rate.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    bad: f64,
    expected: f64,
}

fn total<'s>(sums: impl Iterator<Item = &'s Sums>) -> Sums {
    sums.fold(Sums::default(), |mut all, one| {
        all.add(*one);
        all
    })
}

#[expect(clippy::cast_precision_loss, reason = "pods are few")]
fn count(pods: usize) -> f64 {
    pods as f64
}

#[cfg(test)]
mod tests;
