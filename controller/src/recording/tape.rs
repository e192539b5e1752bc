//! One attempt, as it is recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::Utc;
use lockflight_analysis::{
    judge::{Calibration, ClusterName, Evidence, Judge, MetricName, Observation},
    trust::{CalibrationLine, Head, Line, WindowLine},
};
use serde::Serialize;

use super::{Entry, Recorder};
use crate::{judgement::Trial, shelf::Key};

/// What stable has shown against itself, as the judge keeps it.
type Calibrations = BTreeMap<(MetricName, ClusterName), Calibration>;

/// Records one attempt: file after file, each complete in itself.
#[derive(Debug)]
pub(crate) struct Tape {
    recorder: Recorder,
    /// What the names of its files begin with.
    stem: String,
    files: u32,
    file: Option<File>,
}

/// The file that is written now.
#[derive(Debug)]
struct File {
    name: String,
    broken: Arc<AtomicBool>,
    bytes: usize,
    round: u64,
    finished: BTreeSet<String>,
}

/// The judge before a round.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) judge: &'a Judge,
    pub(crate) attempts: u32,
    pub(crate) evidence: &'a Evidence,
    pub(crate) calibrations: &'a Calibrations,
}

impl Tape {
    /// A tape for an attempt of a Rollout. Nothing is written before the first round.
    pub(crate) fn new(recorder: &Recorder, rollout: &Key, trial: &Trial) -> Self {
        let Key { namespace, name } = rollout;
        let Trial { revision, attempt } = trial;
        // A hub that starts again records the same attempt anew, from the evidence that it knows.
        let opened = Utc::now().format("%Y%m%dT%H%M%S%3fZ");
        Self {
            recorder: recorder.clone(),
            stem: format!("{namespace}_{name}_{attempt}_{revision}_{opened}"),
            files: 0,
            file: None,
        }
    }

    /// Records a round before it is judged.
    pub(crate) fn round(&mut self, before: Before<'_>, round: &[Observation]) {
        let full = |file: &File| file.bytes >= self.recorder.file_bytes_max;
        let ended = |file: &File| full(file) || file.broken.load(Ordering::Relaxed);
        if self.file.as_ref().is_none_or(ended) {
            self.begin(before);
        }
        let Some(number) = self.file.as_mut().map(|file| {
            file.round += 1;
            file.round
        }) else {
            return;
        };
        self.write(round.iter().map(|one| WindowLine::of(number, one)));
    }

    /// Records what stable has shown against itself; only the first word on each counts.
    pub(crate) fn calibrated(
        &mut self,
        metric: &MetricName,
        cluster: &ClusterName,
        found: &Calibration,
    ) {
        // What is known before the first round stands in the first line.
        if self.file.is_some() {
            let calibrated = CalibrationLine::of(metric, cluster, found);
            self.write([Line::Calibrated { calibrated }]);
        }
    }

    /// Records that a cluster is through with its steps.
    pub(crate) fn finished(&mut self, cluster: &str) {
        let Some(file) = &mut self.file else { return };
        if file.finished.insert(cluster.to_owned()) {
            self.write([Line::Finished { finished: cluster.to_owned() }]);
        }
    }

    fn begin(&mut self, before: Before<'_>) {
        let Before { judge, attempts, evidence, calibrations } = before;
        let mut head = Head::of(judge, attempts, calibrations);
        if *evidence != Evidence::default() {
            head = head.after(evidence);
        }
        self.files = self.files.saturating_add(1);
        self.file = Some(File {
            name: format!("{}.{:03}.jsonl", self.stem, self.files),
            broken: Arc::default(),
            bytes: 0,
            round: 0,
            finished: BTreeSet::new(),
        });
        self.write([head]);
    }

    fn write(&mut self, lines: impl IntoIterator<Item = impl Serialize>) {
        let Some(file) = &mut self.file else { return };
        let mut text = Vec::new();
        for line in lines {
            // Nothing in a line can fail to be written: no maps with odd keys, and no waiting.
            if serde_json::to_writer(&mut text, &line).is_err() {
                self.file = None;
                return;
            }
            text.push(b'\n');
        }
        let is_first = file.bytes == 0;
        file.bytes += text.len();
        let entry = Entry {
            file: file.name.clone(),
            is_first,
            lines: text,
            broken: Arc::clone(&file.broken),
        };
        if !self.recorder.send(entry) {
            // The next round begins another file.
            self.file = None;
        }
    }
}
