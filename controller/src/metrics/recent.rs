//! What raw samples say without windows: the newest times, and events since a moment.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    Birth, Sample, Series, events_since,
    judge::{Arm, ArmCounts},
    reading::{Answer, Answers, Pods, RawSeries, Split},
    scrape_interval,
};

use super::round::Round;

/// The bucket that holds all events.
const ALL: &str = "+Inf";

/// Time between scrapes, from whichever samples there are: what to expect until both arms have
/// shown theirs.
pub(super) fn interval(answers: &Answers) -> Option<TimeDelta> {
    let counters = main(answers).series.iter().map(|series| Series {
        source: String::new(),
        key: String::new(),
        samples: series.floats.clone(),
    });
    scrape_interval(&counters.collect::<Vec<_>>())
}

fn main(answers: &Answers) -> &Answer {
    match answers {
        Answers::Counters { total, .. } => total,
        Answers::Histogram(answer) | Answers::Gauge(answer) => answer,
    }
}

/// Times of the newest samples of the canary's sources.
pub(super) fn newest_of_canary(
    answers: &Answers,
    split: &Split,
    pods: &Pods,
) -> Vec<DateTime<Utc>> {
    let mut newest: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    let answer = main(answers);
    for series in &answer.series {
        let Some((subject, Arm::Canary)) = owner(series, split, pods) else { continue };
        let floats = series.floats.iter().map(|sample| sample.at);
        let Some(at) = floats.chain(series.histograms.iter().map(|sample| sample.at)).max() else {
            continue;
        };
        let known = newest.entry(subject).or_insert(at);
        *known = at.max(*known);
    }
    newest.into_values().collect()
}

/// Events of both arms in the last `span`, since the evidence opened: canary, then stable. None
/// where they cannot be told, or nothing is bad by itself.
pub(super) fn counts(
    answers: &Answers,
    split: &Split,
    round: &Round<'_>,
    span: TimeDelta,
) -> Option<(ArmCounts, ArmCounts)> {
    let Answers::Counters { bad, total } = answers else { return None };
    let since = round.request.opened_at.max(round.judged_at - span);
    let arm = |arm: Arm| ArmCounts {
        bad: sum(bad, split, &round.request.pods, arm, since),
        events: sum(total, split, &round.request.pods, arm, since),
    };
    Some((arm(Arm::Canary), arm(Arm::Stable)))
}

/// Events of one arm since the evidence opened.
pub(super) fn events(answer: &Answer, split: &Split, round: &Round<'_>, arm: Arm) -> u64 {
    sum(answer, split, &round.request.pods, arm, round.request.opened_at)
}

fn sum(answer: &Answer, split: &Split, pods: &Pods, arm: Arm, since: DateTime<Utc>) -> u64 {
    let counted = answer.series.iter().filter_map(|series| {
        let (subject, own) = owner(series, split, pods)?;
        if own != arm || series.labels.get("le").is_some_and(|bound| bound != ALL) {
            return None;
        }
        let native =
            series.histograms.iter().map(|h| Sample { at: h.at, value: h.histogram.count });
        let samples: Vec<Sample> = series.floats.iter().copied().chain(native).collect();
        let counter = Series { source: subject.to_owned(), key: String::new(), samples };
        // Only pods that were born since then may count from zero.
        let born = pods.get(subject).and_then(|pod| pod.created_at).is_some_and(|at| at >= since);
        let birth = if born { Birth::FromZero } else { Birth::Unknown };
        events_since(&counter, since, birth).ok()
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of counters' increases is not negative, and as saturates"
    )]
    let whole = counted.sum::<f64>().floor() as u64;
    whole
}

/// Who a series belongs to.
fn owner<'s>(series: &'s RawSeries, split: &Split, pods: &Pods) -> Option<(&'s str, Arm)> {
    match split {
        Split::Pod { label } => {
            let pod = series.labels.get(label)?;
            Some((pod.as_str(), pods.get(pod.as_str())?.arm))
        }
        Split::Label { name, canary, stable } => {
            let value = series.labels.get(name)?;
            let arm = if value == canary {
                Arm::Canary
            } else if value == stable {
                Arm::Stable
            } else {
                return None;
            };
            let instance = series.labels.get("instance").map_or("", String::as_str);
            Some((instance, arm))
        }
    }
}
