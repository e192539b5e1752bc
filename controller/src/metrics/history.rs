//! What stable has shown against itself before a comparison begins.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use lockflight_analysis::{
    judge::{Arm, ClusterName, Counts, Observation, Standing, Window, calibrate},
    reading::{self, Answers, Cursor, PodFacts, Pods, Split},
};

use super::{
    batch::Desk,
    compared::WINDOWS_PER_EPISODE,
    comparison::{Comparison, Source},
    plan::{PlannedMetric, Question},
    state::{GateRequest, GateState},
};
use crate::judgement::Judgement;

/// Windows that are looked back over: an hour of windows of 15 s.
const WINDOWS: i32 = 240;

/// Learns, once per metric, attempt and member, how much stable's bad events cluster, how much
/// its pods differ, and how often it fails. Where it cannot be learned the usual is assumed.
pub(super) async fn learn(
    desk: &Desk,
    request: &GateRequest,
    plan: &[PlannedMetric<'_>],
    state: &mut GateState,
    judgement: &Judgement,
) {
    let unknown = plan.iter().filter(|planned| !state.calibrated.contains(&planned.key));
    let questions = unknown.filter_map(|planned| match &planned.question {
        // The usual is right for a gauge: its windows resemble their neighbours, as batches do.
        Question::Compare(raw, comparison) if comparison.counts_events() => {
            Some((planned, raw, *comparison))
        }
        Question::Compare(..)
        | Question::Count(..)
        | Question::Threshold(_)
        | Question::NotDue(_)
        | Question::Waits => None,
    });
    let length = judgement.judge().episode / WINDOWS_PER_EPISODE;
    let seconds = u32::try_from((length * WINDOWS).num_seconds()).unwrap_or(u32::MAX);
    let asked = questions.map(|(planned, raw, comparison)| async move {
        let parts = raw.selectors.iter().map(|one| desk.raw(one.clone(), seconds));
        let answers: Result<Vec<_>, _> = join_all(parts).await.into_iter().collect();
        (planned, comparison, answers.ok())
    });
    for (planned, comparison, answers) in join_all(asked).await {
        state.calibrated.insert(planned.key.clone());
        let windows = answers.and_then(|answers| windows(comparison, &answers, request, length));
        let Some(windows) = windows else { continue };
        let canary_pods = request.pods_of(Arm::Canary).count();
        let found = calibrate(&windows, canary_pods);
        tracing::debug!(metric = %planned.key, cluster = request.cluster, ?found, "calibrated");
        let cluster: ClusterName = request.cluster.as_str().into();
        judgement.calibrate(&planned.key, &cluster, found);
        // Windows without a canary are no evidence; they are the past that the first window with
        // one is compared with.
        let past = windows.into_iter().filter(|window| window.ends_at <= request.opened_at);
        let past = past.map(|window| Observation {
            metric: planned.key.clone(),
            stream: 0,
            cluster: cluster.clone(),
            window,
        });
        let _: Standing = judgement.take(past.collect());
    }
}

/// Windows of the stable pods alone. They are read as if every second one were the canary's,
/// because the reader wants both.
fn windows(
    comparison: &Comparison,
    answers: &[reading::Answer],
    request: &GateRequest,
    length: TimeDelta,
) -> Option<Vec<Window>> {
    let (Source::Counters { .. }, Split::Pod { .. }, [bad, total]) =
        (&comparison.source, &comparison.reading.split, answers)
    else {
        return None;
    };
    let stable = request.pods.iter().filter(|(_, facts)| facts.arm == Arm::Stable);
    let pods: Pods = stable
        .zip([Arm::Canary, Arm::Stable].into_iter().cycle())
        .map(|((name, facts), arm)| (name.clone(), PodFacts { arm, ..*facts }))
        .collect();
    let since: DateTime<Utc> = total.evaluated_at - total.range;
    let settings = reading::Settings { window_min: length, ..comparison.reading.clone() };
    let answers = Answers::Counters { bad: bad.clone(), total: total.clone() };
    let round = reading::Round {
        settings: &settings,
        pods: &pods,
        answers: &answers,
        since,
        skew: TimeDelta::zero(),
    };
    let read = reading::read(&Cursor::default(), &round);
    Some(read.windows.into_iter().map(|found| of_stable(found.window)).collect())
}

/// The window with all of its pods stable's, as they are.
fn of_stable(mut window: Window) -> Window {
    if let Counts::Cells(cells) = &mut window.counts {
        for cell in cells {
            cell.arm = Arm::Stable;
        }
    }
    window
}
