//! Waves and their clusters.

use lockflight_crds::{Approval, AttemptPhase, MemberPhase, VerdictState, WavePhase};

use super::{
    line, sentence,
    style::{Paint, Pen},
};
use crate::{ClusterView, RolloutView, VerdictView, WaitView, WaveView};

/// Clusters of a wave that are drawn one by one even when there is nothing to tell of them: a
/// fleet of hundreds must not push what moves off the screen.
const QUIET_LINES_MAX: usize = 6;

/// Whether a wait is drawn below its cluster.
pub(super) fn shows(view: &RolloutView, wait: &WaitView) -> bool {
    let Some(name) = &wait.cluster else {
        return false;
    };
    view.waves.iter().flat_map(|wave| &wave.clusters).any(|cluster| cluster.name == *name)
}

pub(super) fn waves(text: &mut String, view: &RolloutView, pen: &Pen) {
    let glyphs = pen.glyphs();
    for (index, wave) in view.waves.iter().enumerate() {
        let is_last = index + 1 == view.waves.len();
        let (branch, below) =
            if is_last { (glyphs.last, glyphs.gap) } else { (glyphs.fork, glyphs.pass) };
        line(text, &format!("{branch}{}", title(wave, index + 1, view, pen)));
        members(text, view, wave, below, pen);
    }
}

fn title(wave: &WaveView, number: usize, view: &RolloutView, pen: &Pen) -> String {
    let glyphs = pen.glyphs();
    let goes_back = view.attempt.as_ref().is_some_and(|attempt| {
        matches!(attempt.phase, AttemptPhase::Aborting | AttemptPhase::Aborted)
    });
    let (paint, glyph, word) = match wave.phase {
        WavePhase::Waiting => (Paint::Faint, glyphs.pending, "Waiting"),
        _ if goes_back => (Paint::Bad, glyphs.back, "Stopped"),
        WavePhase::Moving => (Paint::Moving, glyphs.moving, "Moving"),
        WavePhase::Baking => (Paint::Moving, glyphs.moving, "Baking"),
        WavePhase::Done => (Paint::Good, glyphs.good, "Done"),
    };
    let count = |phase| wave.clusters.iter().filter(|c| c.phase == phase).count();
    let all = wave.clusters.len();
    let mut parts = vec![format!("{}/{all} clusters promoted", count(MemberPhase::Promoted))];
    if goes_back {
        parts.push(format!("{} back", count(MemberPhase::RolledBack)));
    } else {
        if wave.phase != WavePhase::Done {
            parts.push(format!("{} at a time", wave.max_concurrent));
        }
        if matches!(wave.phase, WavePhase::Moving | WavePhase::Baking) {
            parts.push(pen.lasting(wave.since));
        }
        match wave.approval {
            Approval::None => {}
            Approval::Before => parts.push("approval before".to_owned()),
            Approval::After => parts.push("approval after".to_owned()),
        }
    }
    let state = pen.paint(paint, &format!("{glyph} {word:<8}"));
    let name = pen.paint(Paint::Strong, &wave.name);
    format!("wave {number}/{} {name}  {state} {}", view.waves.len(), parts.join(", "))
}

fn members(text: &mut String, view: &RolloutView, wave: &WaveView, below: &str, pen: &Pen) {
    let glyphs = pen.glyphs();
    let waits_of = |cluster: &ClusterView| -> Vec<&WaitView> {
        view.waiting.iter().filter(|w| w.cluster.as_ref() == Some(&cluster.name)).collect()
    };
    let is_quiet = |cluster: &&ClusterView| quiet(cluster) && waits_of(cluster).is_empty();
    let folded = wave.clusters.len() > QUIET_LINES_MAX;
    let shown: Vec<&ClusterView> =
        wave.clusters.iter().filter(|cluster| !folded || !is_quiet(cluster)).collect();
    let hidden = wave.clusters.len() - shown.len();
    let width = shown.iter().map(|cluster| cluster.name.chars().count()).max().unwrap_or(0);
    for (index, cluster) in shown.iter().enumerate() {
        let is_last = index + 1 == shown.len() && hidden == 0;
        let (branch, under) =
            if is_last { (glyphs.last, glyphs.gap) } else { (glyphs.fork, glyphs.pass) };
        line(text, &format!("{below}{branch}{}", summary(cluster, width, pen)));
        for detail in details(cluster, &waits_of(cluster), pen) {
            line(text, &format!("{below}{under}  {detail}"));
        }
    }
    if hidden > 0 {
        let promoted =
            wave.clusters.iter().filter(|c| is_quiet(c) && c.phase == MemberPhase::Promoted);
        let promoted = promoted.count();
        let rest = hidden - promoted;
        let counts = [(promoted, "promoted"), (rest, "not moving")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect::<Vec<_>>();
        let rest = pen.paint(Paint::Faint, &counts.join(", "));
        line(text, &format!("{below}{}{} {rest}", glyphs.last, glyphs.wait));
    }
}

/// Whether there is nothing to tell of a cluster.
fn quiet(cluster: &ClusterView) -> bool {
    matches!(cluster.phase, MemberPhase::Pending | MemberPhase::Promoted | MemberPhase::RolledBack)
        && cluster.unreachable_since.is_none()
        && cluster.problem.is_none()
        && !cluster.owed_rollback
}

fn summary(cluster: &ClusterView, width: usize, pen: &Pen) -> String {
    let glyphs = pen.glyphs();
    let (paint, glyph, word) = match cluster.phase {
        MemberPhase::Pending => (Paint::Faint, glyphs.pending, "Pending"),
        MemberPhase::Deploying => (Paint::Moving, glyphs.moving, "Deploying"),
        MemberPhase::Canary => (Paint::Moving, glyphs.moving, "Canary"),
        MemberPhase::Promoting => (Paint::Moving, glyphs.moving, "Promoting"),
        MemberPhase::Promoted => (Paint::Good, glyphs.good, "Promoted"),
        MemberPhase::RollingBack => (Paint::Bad, glyphs.back, "RollingBack"),
        MemberPhase::RolledBack => (Paint::Waiting, glyphs.back, "RolledBack"),
    };
    let (paint, glyph) = match cluster.unreachable_since {
        Some(_) => (Paint::Waiting, glyphs.unknown),
        None => (paint, glyph),
    };
    let state = pen.paint(paint, &format!("{glyph} {word:<11}"));
    let mut parts = Vec::new();
    if matches!(cluster.phase, MemberPhase::Canary | MemberPhase::Promoting) {
        parts.push(format!("step {}/{}", cluster.step, cluster.steps));
    }
    if serves_traffic(cluster) {
        parts.push(share(cluster, pen));
    }
    if !matches!(cluster.phase, MemberPhase::Pending | MemberPhase::RolledBack) {
        parts.push(format!("{} ready", cluster.ready_pods));
    }
    if let Some(verdict) = cluster.verdict.as_ref().filter(|_| serves_traffic(cluster)) {
        parts.push(judgement(verdict, pen));
    }
    format!("{:<width$}  {state} {}", cluster.name, parts.join("  "))
}

fn serves_traffic(cluster: &ClusterView) -> bool {
    matches!(cluster.phase, MemberPhase::Canary | MemberPhase::Promoting | MemberPhase::RollingBack)
}

/// The bar shows what is known to be in force; the number is what is meant.
fn share(cluster: &ClusterView, pen: &Pen) -> String {
    let (weight, in_force) = (cluster.weight, cluster.acknowledged_weight);
    let note = if in_force != weight {
        format!(" (in force: {in_force} %)")
    } else if cluster.acknowledged_at.is_none() && weight > 0 {
        " (not yet in force)".to_owned()
    } else {
        String::new()
    };
    format!("{} {weight:>3} %{note}", pen.bar(in_force))
}

fn judgement(verdict: &VerdictView, pen: &Pen) -> String {
    let glyphs = pen.glyphs();
    let (paint, glyph, word) = match verdict.state {
        VerdictState::Pass => (Paint::Good, glyphs.good, "Pass"),
        VerdictState::Fail => (Paint::Bad, glyphs.bad, "Fail"),
        VerdictState::Watch => (Paint::Moving, glyphs.moving, "Watch"),
        VerdictState::NoData => (Paint::Waiting, glyphs.unknown, "NoData"),
        VerdictState::Error => (Paint::Bad, glyphs.bad, "Error"),
    };
    pen.paint(paint, &format!("{glyph} {word}"))
}

/// Lines below a cluster.
fn details(cluster: &ClusterView, waits: &[&WaitView], pen: &Pen) -> Vec<String> {
    let glyphs = pen.glyphs();
    let mut lines = Vec::new();
    if let Some(since) = cluster.unreachable_since {
        let text =
            format!("{} unreachable {}: its state is unknown", glyphs.unknown, pen.lasting(since));
        lines.push(pen.paint(Paint::Waiting, &text));
    }
    if cluster.owed_rollback {
        let text = format!("{} owed a rollback: its first write on return", glyphs.back);
        lines.push(pen.paint(Paint::Bad, &text));
    }
    if let Some(problem) = &cluster.problem {
        lines.push(pen.paint(Paint::Bad, &format!("{} {problem}", glyphs.bad)));
    }
    if let Some(verdict) = cluster.verdict.as_ref().filter(|_| serves_traffic(cluster))
        && !verdict.message.is_empty()
    {
        lines.push(pen.paint(Paint::Faint, &verdict.message));
    }
    for wait in waits {
        let here = WaitView { cluster: None, ..(*wait).clone() };
        lines.push(sentence(&here, pen));
    }
    lines
}
