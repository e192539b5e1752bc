//! What a judgement knows, and the part of it that a Rollout's status has room for.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lockflight_analysis::judge::Evidence;
use lockflight_crds::EvidenceStatus;

use super::{Seen, Trial};

/// Length of the evidence in the status, as the schema allows it: 500 clusters with ten metrics
/// each take 360,000 while all are under way.
const STATE_LENGTH_MAX: usize = 500_000;

/// Length of the levels of gauges there, in names, digits and what JSON adds: 500 clusters with
/// ten gauges each take 170,000.
const LEVELS_LENGTH_MAX: usize = 200_000;

/// Length of what thresholds have counted there: 500 clusters with six metrics each under way at
/// the same time take 150,000.
const COUNTERS_LENGTH_MAX: usize = 200_000;

/// What JSON adds to a key with its value: quotes, a colon and a comma.
const JSON_PER_ENTRY: usize = 6;

/// What is known of a trial.
#[derive(Debug, Clone)]
pub struct Memory {
    pub(super) trial: Trial,
    pub(super) attempts: u32,
    /// None where it cannot be read.
    pub(super) evidence: Option<Evidence>,
    pub(super) levels: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) counters: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// The evidence, where it can be read.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }
}

/// What a status keeps of a judgement, and what it has no room for.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// What it keeps.
    pub status: EvidenceStatus,
    /// What it does not, and how large that is.
    pub left_out: Vec<LeftOut>,
}

/// What a status has no room for. A hub that starts again gathers it anew: that costs time, and
/// for counters may cost failures that had been counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is.
    pub what: &'static str,
    /// Its length in bytes.
    pub length: usize,
    /// The greatest length.
    pub max: usize,
}

impl LeftOut {
    fn check(what: &'static str, length: usize, max: usize) -> Option<Self> {
        (length > max).then_some(Self { what, length, max })
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, length, max } = self;
        write!(f, "{what} take {length} bytes, and status.evidence has room for {max}")
    }
}

impl From<&EvidenceStatus> for Memory {
    fn from(known: &EvidenceStatus) -> Self {
        let counters = known.counters.iter().filter_map(|(cluster, text)| {
            Some((cluster.clone(), BASE64_STANDARD.decode(text).ok()?))
        });
        Self {
            trial: Trial { revision: known.revision.clone(), attempt: known.attempt },
            attempts: known.attempts,
            evidence: decode(known),
            levels: known.levels.clone(),
            counters: counters.collect(),
        }
    }
}

fn decode(known: &EvidenceStatus) -> Option<Evidence> {
    // There was no room for it.
    if known.state.is_empty() {
        return None;
    }
    let read = BASE64_STANDARD.decode(&known.state).map_err(|error| error.to_string());
    let read = read.and_then(|bytes| Evidence::decode(&bytes).map_err(|error| error.to_string()));
    read.inspect_err(|error| {
        tracing::warn!(error, "the evidence so far is lost; it is gathered anew");
    })
    .ok()
}

/// What a status keeps of what was seen.
pub(super) fn saved(trial: &Trial, attempts: u32, seen: &Seen) -> Saved {
    let mut left_out = Vec::new();
    let mut fits = |what, length, max| {
        let over = LeftOut::check(what, length, max);
        left_out.extend(over.clone());
        over.is_none()
    };
    let mut state = BASE64_STANDARD.encode(seen.evidence.encode_compact());
    if !fits("the evidence of the comparisons", state.len(), STATE_LENGTH_MAX) {
        state.clear();
    }
    let mut levels = seen.levels.clone();
    // Those of finished clusters are kept for people; nothing is judged by them any more.
    if length_of(&levels) > LEVELS_LENGTH_MAX {
        forget(&mut levels, &seen.finished);
    }
    if !fits("the levels of the gauges", length_of(&levels), LEVELS_LENGTH_MAX) {
        levels.clear();
    }
    let counters = seen.counters.iter();
    let counters = counters.map(|(name, of)| (name.clone(), BASE64_STANDARD.encode(&of.state)));
    let mut counters: BTreeMap<String, String> = counters.collect();
    let length = counters.iter().map(|(name, of)| name.len() + of.len() + JSON_PER_ENTRY).sum();
    if !fits("the counters of the thresholds", length, COUNTERS_LENGTH_MAX) {
        counters.clear();
    }
    let Trial { revision, attempt } = trial.clone();
    Saved {
        status: EvidenceStatus { revision, attempt, attempts, state, levels, counters },
        left_out,
    }
}

fn length_of(levels: &BTreeMap<String, BTreeMap<String, String>>) -> usize {
    let lengths = levels.iter().map(|(metric, of_metric)| {
        let pairs = of_metric.iter().map(|(name, level)| name.len() + level.len() + JSON_PER_ENTRY);
        metric.len() + JSON_PER_ENTRY + pairs.sum::<usize>()
    });
    lengths.sum()
}

fn forget(levels: &mut BTreeMap<String, BTreeMap<String, String>>, finished: &BTreeSet<String>) {
    for of_metric in levels.values_mut() {
        of_metric.retain(|cluster, _| !finished.contains(cluster));
    }
}
