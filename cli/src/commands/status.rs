//! `status`: how a rollout stands, told by the exit code.

use std::time::Duration;

use chrono::Utc;

use super::{say, wait_for};
use crate::{
    ClusterView, Exit, Failure, Outcome, RolloutView,
    arguments::{Status, StatusOutput, Until},
    session::Session,
};

pub(super) async fn run(session: &Session, status: &Status) -> Result<Exit, Failure> {
    let view = RolloutView::from(&session.get(&status.name).await?);
    let is_text = status.output.is_none();
    if !status.watch && status.until.is_none() {
        if is_text {
            say(&format!("{}\n", line(&view)))?;
        }
        return finish(status, &view, view.outcome.into());
    }
    let until = status.until.unwrap_or(Until::Any);
    let mut last: Option<RolloutView> = None;
    let mut written = Ok(());
    let end = wait_for(session, &status.name, status.timeout, |rollout| {
        let view = RolloutView::from(rollout);
        let changed = last.as_ref().map(line) != Some(line(&view));
        if changed && is_text {
            written = say(&format!("{} {}\n", Utc::now().format("%H:%M:%SZ"), line(&view)));
        }
        let exit = ends(view.outcome, until);
        last = Some(view);
        // A reader that has gone ends the watch too.
        exit.or(written.is_err().then_some(Exit::Error))
    })
    .await?;
    written?;
    let exit = end.unwrap_or_else(|| timed_out(status.timeout));
    finish(status, last.as_ref().unwrap_or(&view), exit)
}

fn timed_out(after: Duration) -> Exit {
    eprintln!("not there after {}s", after.as_secs());
    Exit::Timeout
}

fn finish(status: &Status, view: &RolloutView, exit: Exit) -> Result<Exit, Failure> {
    if status.output == Some(StatusOutput::Json) {
        say(&format!("{}\n", serde_json::to_string_pretty(view)?))?;
    }
    Ok(exit)
}

/// Whether the wait is over, and how.
fn ends(outcome: Outcome, until: Until) -> Option<Exit> {
    match (outcome, until) {
        (Outcome::Moving, _) | (Outcome::Waiting, Until::Completed) => None,
        (Outcome::Waiting, Until::Paused) => Some(Exit::Ok),
        (outcome, _) => Some(outcome.into()),
    }
}

/// A rollout in one line, without times: it changes only when the rollout does.
fn line(view: &RolloutView) -> String {
    let mut parts = vec![view.state.clone()];
    parts.extend(view.wave.as_ref().map(|wave| format!("wave {wave}")));
    if view.clusters.total > 0 {
        parts.push(format!("{}/{} clusters", view.clusters.promoted, view.clusters.total));
    }
    let message = match &view.abort {
        Some(abort) if view.outcome == Outcome::Aborted => Some(&abort.message),
        _ => view.message.as_ref(),
    };
    let message = message.map_or("", String::as_str);
    if view.outcome != Outcome::Completed {
        let weight = named(view, message).map(|cluster| cluster.weight).or(view.weight);
        parts.extend(weight.map(|weight| format!("{weight} %")));
    }
    format!("{}: {message}", parts.join(", "))
}

/// The cluster that a sentence begins with: the share beside it must be the one there, not the
/// highest of all.
fn named<'a>(view: &'a RolloutView, message: &str) -> Option<&'a ClusterView> {
    let (name, _) = message.split_once(": ")?;
    view.waves.iter().flat_map(|wave| &wave.clusters).find(|cluster| cluster.name == name)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

    use super::*;
    use crate::testing;

    #[test]
    fn exit_codes_are_a_contract() {
        let table = [
            (Outcome::Completed, [Some(0), Some(0), Some(0)]),
            (Outcome::Moving, [None, None, None]),
            (Outcome::Waiting, [None, Some(0), Some(4)]),
            (Outcome::Aborted, [Some(3), Some(3), Some(3)]),
            (Outcome::Stalled, [Some(1), Some(1), Some(1)]),
        ];
        for (outcome, codes) in table {
            let found = [Until::Completed, Until::Paused, Until::Any]
                .map(|until| ends(outcome, until).map(Exit::code));
            assert_eq!(found, codes, "{outcome:?}");
        }
        assert_eq!(Exit::Timeout.code(), 5);
    }

    #[test]
    fn tells_the_outcome_from_the_status() {
        let outcome = |rollout| RolloutView::from(&rollout).outcome;
        assert_eq!(outcome(testing::progressing()), Outcome::Moving);
        assert_eq!(outcome(testing::awaiting_approval()), Outcome::Waiting);
        assert_eq!(outcome(testing::aborted()), Outcome::Aborted);
        assert_eq!(outcome(testing::completed()), Outcome::Completed);
        let mut invalid = testing::aborted();
        let conditions = &mut invalid.status.as_mut().unwrap().conditions;
        conditions[0].reason = "InvalidSpec".to_owned();
        let stalled = Condition {
            type_: "Stalled".to_owned(),
            status: "True".to_owned(),
            ..conditions[0].clone()
        };
        conditions.push(stalled);
        assert_eq!(outcome(invalid), Outcome::Stalled);
        let mut stale = testing::completed();
        stale.metadata.generation = Some(5);
        assert_eq!(outcome(stale), Outcome::Moving, "a status of an older spec says nothing");
    }

    #[test]
    fn says_it_in_one_line() {
        let view = RolloutView::from(&testing::aborted());
        let expected = "Aborted, wave 2/2 rest, 0/3 clusters, 33 %: us-east-1 failed at step 2: \
                        errors 8.4 % where stable has 0.1 %";
        assert_eq!(line(&view), expected);
    }

    #[test]
    fn the_share_is_that_of_the_cluster_that_is_told_of() {
        let mut view = RolloutView::from(&testing::progressing());
        view.weight = Some(50);
        view.waves[1].clusters[0].weight = 20;
        for (message, share) in [
            ("us-east-1: needs 100 requests in this step", "20 %"),
            ("wave rest may start and awaits approval", "50 %"),
            ("elsewhere: needs 100 requests in this step", "50 %"),
        ] {
            view.message = Some(message.to_owned());
            let expected = format!("Progressing, wave 2/2 rest, 1/3 clusters, {share}: {message}");
            assert_eq!(line(&view), expected);
        }
    }
}
