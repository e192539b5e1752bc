//! From answers to counters with owners.

use super::{
    answer::Answers,
    cursor::Cursor,
    lane, latency,
    reason::{Gap, Notes},
    settings::{Pods, Settings, Split},
    track::{Counter, Nobody, clean, describe, identify},
};

/// Series of one metric in one cluster, of all its answers together.
pub const SERIES_MAX: usize = 50_000;

/// Samples of the same; each bucket of a native histogram counts as one.
pub const SAMPLES_MAX: usize = 2_000_000;

/// What the answers hold.
pub(super) struct Collected {
    pub(super) counters: Vec<Counter>,
    /// Streams of the metric.
    pub(super) streams: usize,
    /// The first unusable value.
    pub(super) complaint: Option<Gap>,
    /// Something that a stream lacks for good.
    pub(super) lost: Option<Gap>,
}

/// Who owns the series of the answers.
#[derive(Default)]
struct Owners {
    found: u64,
    unlabelled: u64,
    strangers: u64,
}

impl Owners {
    fn count(&mut self, nobody: Nobody) {
        match nobody {
            Nobody::Unlabelled => self.unlabelled += 1,
            Nobody::Stranger => self.strangers += 1,
        }
    }

    /// Fails when there are series, but none that could be used.
    fn check(&self, settings: &Settings, notes: &mut Notes) -> Result<(), Gap> {
        notes.stranger_series = self.strangers;
        let (Split::Pod { label } | Split::Label { name: label, .. }) = &settings.split;
        let label = label.clone();
        match self {
            Self { found: 1.., .. } | Self { unlabelled: 0, strangers: 0, .. } => Ok(()),
            Self { strangers: 0, .. } => Err(Gap::Unlabelled { label }),
            Self { .. } => Err(Gap::Strangers { label }),
        }
    }
}

/// Finds the owner of every series and chooses the bounds of slow events where that is due.
pub(super) fn collect(
    answers: &Answers,
    settings: &Settings,
    pods: &Pods,
    cursor: &mut Cursor,
    notes: &mut Notes,
) -> Result<Collected, Gap> {
    let (series, samples) = answers.size();
    for (what, count, limit) in [("series", series, SERIES_MAX), ("samples", samples, SAMPLES_MAX)]
    {
        if count > limit {
            return Err(Gap::TooMany { what, count, limit });
        }
    }
    let covered = answers.covered();
    let mut complaint = None;
    let mut owners = Owners::default();
    if let Answers::Histogram(answer) = answers {
        let count = |nobody| owners.count(nobody);
        let found = latency::histograms(answer, settings, pods, covered, &mut complaint, count);
        owners.found = u64::from(!found.is_empty());
        owners.check(settings, notes)?;
        if found.is_empty()
            && let Some(complaint) = complaint
        {
            return Err(complaint);
        }
        let edges = match &cursor.edges {
            Some(edges) => edges.clone(),
            None => latency::choose(&found, settings.slow_down)?,
        };
        let (counters, lost) = latency::counters(found, &edges);
        let streams = edges.edges.len();
        cursor.edges = Some(edges);
        return Ok(Collected { counters, streams, complaint, lost });
    }
    let gauge = matches!(answers, Answers::Gauge(_));
    let parts = match answers {
        Answers::Counters { bad, total } => vec![(1, bad), (0, total)],
        Answers::Gauge(answer) | Answers::Histogram(answer) => vec![(0, answer)],
    };
    let mut counters = Vec::new();
    for (what, answer) in parts {
        for series in &answer.series {
            let identity = match identify(&series.labels, settings, pods) {
                Ok(identity) => identity,
                Err(nobody) => {
                    // Bad events of nobody do not make up for a total that nobody has.
                    if what == 0 {
                        owners.count(nobody);
                    }
                    continue;
                }
            };
            if !series.histograms.is_empty() {
                return Err(Gap::NativeHistogram { series: describe(&series.labels) });
            }
            owners.found += u64::from(what == 0);
            let (points, faults) = clean(series, covered, gauge, &mut complaint);
            if !points.is_empty() || !faults.is_empty() {
                let lane = lane(identity.arm, what);
                counters.push(Counter { identity, lane, points, faults, holes: Vec::new() });
            }
        }
    }
    owners.check(settings, notes)?;
    Ok(Collected { counters, streams: 1, complaint, lost: None })
}
