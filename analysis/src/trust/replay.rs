//! Recorded windows, judged again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::recording::{Head, Line, RecordingError};
use crate::judge::{
    Calibration, ClusterName, Evidence, Judge, MetricName, Observation, RoundReport, Standing,
};

/// When the release would have been taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// The round.
    pub round: u64,
    /// End of its last window.
    pub at: DateTime<Utc>,
    /// Where the evidence stood then.
    pub standing: Standing,
}

/// A judge that is shown a recording, line by line.
#[derive(Debug, Clone)]
pub struct Replay {
    judge: Judge,
    calibrations: BTreeMap<(MetricName, ClusterName), Calibration>,
    evidence: Evidence,
    round: Option<u64>,
    waiting: Vec<Observation>,
    report: RoundReport,
    crossing: Option<Crossing>,
}

impl Replay {
    /// Begins as the first line says.
    pub fn begin(head: &Head) -> Result<Self, RecordingError> {
        let judge = head.judge()?;
        Ok(Self {
            judge,
            calibrations: head.calibrations(),
            evidence: head.evidence()?,
            round: None,
            waiting: Vec::new(),
            report: RoundReport::default(),
            crossing: None,
        })
    }

    /// Takes a further line. After the crossing nothing counts any more: the hub has stopped
    /// there too.
    pub fn take(&mut self, line: Line) -> Result<(), RecordingError> {
        match line {
            Line::Finished { finished } => {
                self.judge_round();
                self.evidence.finish(&finished);
            }
            Line::Calibrated { calibrated } => {
                self.judge_round();
                let (key, found) = calibrated.read();
                self.calibrations.entry(key).or_insert(found);
            }
            Line::Window(window) => {
                let round = window.round;
                let observation = window.observation()?;
                if let Some(before) = self.round.filter(|before| *before != round) {
                    if round < before {
                        return Err(RecordingError::Order { found: round, before });
                    }
                    self.judge_round();
                }
                self.round = Some(round);
                self.waiting.push(observation);
            }
        }
        Ok(())
    }

    /// Judges what waits, and says where the evidence stands: at the crossing, if there was one.
    pub fn standing(&mut self) -> Standing {
        self.judge_round();
        match &self.crossing {
            Some(crossing) => crossing.standing.clone(),
            None => self.judge.standing(&self.evidence),
        }
    }

    /// When the release would have been taken back, of the rounds judged so far.
    #[must_use]
    pub fn crossing(&self) -> Option<&Crossing> {
        self.crossing.as_ref()
    }

    /// What the judge has been shown: once all lines were taken and [`Self::standing`] was asked
    /// for, that of the recorded one, byte for byte.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What became of the windows, of the rounds judged so far.
    #[must_use]
    pub fn report(&self) -> &RoundReport {
        &self.report
    }

    fn judge_round(&mut self) {
        let windows = std::mem::take(&mut self.waiting);
        let ends = windows.iter().map(|observation| observation.window.ends_at).max();
        let (Some(at), None) = (ends, &self.crossing) else { return };
        let found = self.judge.observe(&mut self.evidence, &self.calibrations, windows);
        self.report.counted += found.counted;
        self.report.late += found.late;
        self.report.foreign += found.foreign;
        self.report.silent += found.silent;
        let standing = self.judge.standing(&self.evidence);
        if standing.crossed.is_some() {
            let round = self.round.unwrap_or_default();
            self.crossing = Some(Crossing { round, at, standing });
        }
    }
}
