//! Commands: each acts once, on what it names.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_crds::{AttemptPhase, MemberPhase, Rollout, names};
use lockflight_e2e::service::{DemoService, Release, Settings};
use serde_json::json;

use crate::bed::{Bed, RELEASE, RPS, SOON, now};
use crate::{evidence, look};

/// Long enough for a pass that would do the wrong thing: a pass takes milliseconds.
const WATCHED: Duration = Duration::from_secs(3);

/// Two clusters at once, and a person has to agree after the first step in each.
pub(crate) fn two_gates() -> Settings {
    let mut settings =
        Settings::default().only(&["m1", "m2"]).steps(&[(30, 0), (100, 0)]).ungated();
    settings.steps[0]["approval"] = json!("After");
    settings.waves(json!([{ "name": "both", "maxConcurrent": 2, "bake": { "time": "0s" } }]))
}

pub(crate) async fn at_two_gates(service: &DemoService) -> anyhow::Result<Rollout> {
    let both = |rollout: &Rollout| look::is_current(rollout) && look::tokens(rollout).len() == 2;
    service.wait_for("two gates to wait", RELEASE, both).await
}

/// A token opens the one gate that it names, once; stale and garbled ones open nothing.
pub(crate) async fn tokens_open_the_gates_that_they_name_and_no_others(
    bed: &Bed,
) -> anyhow::Result<()> {
    let service = bed.running("tokens", two_gates()).await?;
    service.release(&Release::new("v2")).await?;
    let tokens = look::tokens(&at_two_gates(&service).await?);
    let (one, two) = (&tokens["m1"], &tokens["m2"]);

    service.annotate(names::PROMOTE_ANNOTATION, "garbage, ,,deadbeef0123").await?;
    look::event(&service, "StalePromotion").await?;
    let moved = |rollout: &Rollout| {
        ["m1", "m2"].iter().any(|name| look::member(rollout, name).is_none_or(|m| m.step > 1))
    };
    service.never("garbage opened a gate", WATCHED, moved).await?;

    service.annotate(names::PROMOTE_ANNOTATION, one).await?;
    let promoted = |rollout: &Rollout| look::is_in(rollout, "m1", MemberPhase::Promoted);
    service.wait_for("m1 to be promoted", RELEASE, promoted).await?;
    // The same again, as a new value: it is stale now.
    service.annotate(names::PROMOTE_ANNOTATION, &format!("{one},{one}")).await?;
    let other = |rollout: &Rollout| look::member(rollout, "m2").is_none_or(|m| m.step > 1);
    service.never("the token of m1 opened the gate of m2", WATCHED, other).await?;

    service.annotate(names::PROMOTE_ANNOTATION, two).await?;
    service.completed(RELEASE).await?;
    Ok(())
}

/// Both at once: the abort wins.
pub(crate) async fn abort_wins_over_a_promotion_given_with_it(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.running("both-commands", two_gates()).await?;
    let v1 = look::revision(&service.rollout().await?);
    let load = service.load_in(&["m1", "m2"], RPS)?;
    let begun = now();
    let mut manifest = service.manifest(&Release::new("v2"));
    service.apply(&manifest).await?;
    let tokens: Vec<String> = look::tokens(&at_two_gates(&service).await?).into_values().collect();
    manifest["metadata"]["annotations"] = json!({
        names::PROMOTE_ANNOTATION: tokens.join(","),
        names::ABORT_ANNOTATION: "it smells",
    });
    service.apply(&manifest).await?;
    let rollout = service.aborted(SOON).await?;
    let report = load.stop().await;
    let abort = rollout.status.unwrap_or_default().abort.context("no status.abort")?;
    ensure!(abort.reason == "CommandedAbort", "status.abort is {abort:?}");
    ensure!(abort.message.contains("it smells"), "status.abort is {abort:?}");
    ensure!(report.failed() == 0, "requests were lost: {report}");
    for member in ["m1", "m2"] {
        let written = evidence::weights(bed, &service, member, begun)?;
        let higher = written.iter().any(|weight| weight.percent > 30);
        ensure!(!higher, "the weights written in {member} are {written:?}");
        look::services_select(&service, service.place(member)?, &v1).await?;
    }
    Ok(())
}

/// Nothing in progress: nothing changes, the command is consumed, and the next release is free.
pub(crate) async fn abort_at_rest_changes_nothing_and_spares_the_next_release(
    bed: &Bed,
) -> anyhow::Result<()> {
    let settings = Settings::default().only(&["m1"]).steps(&[(50, 0), (100, 0)]).ungated();
    let service = bed.running("idle-abort", settings).await?;
    let begun = now();
    service.annotate(names::ABORT_ANNOTATION, "by mistake").await?;
    let consumed = |rollout: &Rollout| {
        let annotations = rollout.metadata.annotations.as_ref();
        annotations.is_none_or(|all| !all.contains_key(names::ABORT_ANNOTATION))
    };
    let rollout = service.wait_for("the abort to be consumed", SOON, consumed).await?;
    look::event(&service, "NothingToAbort").await?;
    let status = rollout.status.unwrap_or_default();
    let phase = status.attempt.as_ref().map(|attempt| attempt.phase);
    ensure!(phase == Some(AttemptPhase::Completed), "the attempt is {:?}", status.attempt);
    ensure!(status.abort.is_none(), "status.abort is {:?}", status.abort);
    let log = evidence::writes(&bed.fleet.member("m1")?.cluster, service.namespace(), begun)?;
    ensure!(log.is_empty(), "the hub wrote {log:?}");

    service.release(&Release::new("v2")).await?;
    service.completed(RELEASE).await?;
    Ok(())
}
