//! The tree: a pure function of a view, a moment and a style.

mod aa;
mod clusters;
mod evidence;
mod plan;
mod style;
#[cfg(test)]
mod tests;
mod time;

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::{AbortView, AttemptView, Outcome, RolloutView, WaitView};

pub use aa::render_aa;
pub use evidence::render_evidence;
pub use plan::render_plan;
use style::{Paint, Pen};
pub use style::{Style, Times};
pub(crate) use time::span;

/// Draws a rollout. The result ends with a line break.
#[must_use]
pub fn render(view: &RolloutView, now: DateTime<Utc>, style: Style) -> String {
    let pen = Pen { style, now };
    let mut text = String::new();
    header(&mut text, view, &pen);
    clusters::waves(&mut text, view, &pen);
    if let Some(abort) = view.abort.as_ref().filter(|abort| concerns(view, abort)) {
        taken_back(&mut text, abort, &pen);
    }
    waits(&mut text, view, &pen);
    text
}

/// Adds a line. Writing to a String cannot fail.
fn line(text: &mut String, content: &str) {
    let _ = writeln!(text, "{}", content.trim_end());
}

fn header(text: &mut String, view: &RolloutView, pen: &Pen) {
    let (paint, glyph) = match view.outcome {
        Outcome::Moving => (Paint::Moving, pen.glyphs().moving),
        Outcome::Waiting => (Paint::Waiting, pen.glyphs().person),
        Outcome::Completed => (Paint::Good, pen.glyphs().good),
        Outcome::Aborted => (Paint::Bad, pen.glyphs().back),
        Outcome::Stalled => (Paint::Bad, pen.glyphs().bad),
    };
    let name = format!("{}/{}", view.namespace, view.name);
    let state = pen.paint(paint, &format!("{glyph} {}", view.state));
    let mut first = format!("{}  {state}", pen.paint(Paint::Strong, &name));
    if view.clusters.total > 0 {
        let counts = view.clusters;
        let _ = write!(first, "  {}/{} clusters", counts.promoted, counts.total);
        if counts.unreachable > 0 {
            let unreachable = format!("{} unreachable", counts.unreachable);
            let _ = write!(first, ", {}", pen.paint(Paint::Waiting, &unreachable));
        }
    }
    line(text, &first);
    if let Some(attempt) = &view.attempt {
        line(text, &format!("  {}", progress(attempt, view, pen)));
    }
    if let Some(estimate) = view.estimate.as_ref().filter(|_| is_moving(view)) {
        line(text, &pen.paint(Paint::Faint, &format!("  plan: {estimate}")));
    }
    if let Some(message) = &view.message {
        line(text, &format!("  {message}"));
    }
    if let Some(why) = &view.paused {
        let paused = format!("  {} paused: {why}", pen.glyphs().person);
        line(text, &pen.paint(Paint::Waiting, &paused));
    }
}

fn is_moving(view: &RolloutView) -> bool {
    matches!(view.outcome, Outcome::Moving | Outcome::Waiting)
}

fn progress(attempt: &AttemptView, view: &RolloutView, pen: &Pen) -> String {
    let arrow = pen.glyphs().arrow;
    let revisions = match &attempt.from {
        Some(from) if *from != attempt.revision => format!("{from} {arrow} {}", attempt.revision),
        _ => attempt.revision.clone(),
    };
    let mut parts = vec![format!("revision {revisions}"), format!("attempt {}", attempt.number)];
    match attempt.ended_at {
        Some(ended) => {
            parts.push(format!("took {}", time::span(ended - attempt.started_at)));
            parts.push(format!("ended {}", pen.ago(ended)));
        }
        None => parts.push(format!("started {}", pen.ago(attempt.started_at))),
    }
    if let Some(wanted) = view.revision.as_ref().filter(|wanted| **wanted != attempt.revision) {
        parts.push(format!("the spec asks for {wanted}"));
    }
    parts.join(", ")
}

/// An old abort is history once another attempt has begun.
fn concerns(view: &RolloutView, abort: &AbortView) -> bool {
    view.attempt
        .as_ref()
        .is_none_or(|attempt| attempt.revision == abort.revision && attempt.started_at <= abort.at)
}

fn taken_back(text: &mut String, abort: &AbortView, pen: &Pen) {
    let head = format!("{} taken back {}: {}", pen.glyphs().back, pen.ago(abort.at), abort.reason);
    line(text, &pen.paint(Paint::Bad, &head));
    line(text, &format!("  {}", abort.message));
    let scope = if abort.fleet {
        "everywhere, promoted clusters included"
    } else {
        "only clusters that had not been promoted"
    };
    let facts = [
        ("cluster", abort.cluster.clone()),
        ("step", abort.step.map(|step| step.to_string())),
        ("metric", abort.metric.clone()),
        ("observed", abort.observed.clone()),
        ("limit", abort.limit.clone()),
        ("set by", abort.by.clone()),
        ("goes back", Some(scope.to_owned())),
        ("owed", Some(abort.owed.join(", ")).filter(|names| !names.is_empty())),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            line(text, &format!("  {} {value}", pen.paint(Paint::Faint, &format!("{name:<10}"))));
        }
    }
}

/// Waits of the rollout as a whole, and what opens gates.
fn waits(text: &mut String, view: &RolloutView, pen: &Pen) {
    for wait in view.waiting.iter().filter(|wait| !clusters::shows(view, wait)) {
        line(text, &sentence(wait, pen));
    }
    let mut tokens: Vec<&WaitView> = view.waiting.iter().filter(|w| w.token.is_some()).collect();
    tokens.dedup_by(|a, b| a.token == b.token);
    if tokens.is_empty() {
        return;
    }
    line(text, "to approve:");
    for wait in tokens {
        let Some(token) = &wait.token else { continue };
        let place = wait.cluster.as_deref().unwrap_or("the wave");
        let command = format!(
            "kubectl lockflight promote {} -n {} --token {token}",
            view.name, view.namespace
        );
        line(text, &format!("  {}  ({place})", pen.paint(Paint::Strong, &command)));
    }
}

/// Why something waits, and until when.
fn sentence(wait: &WaitView, pen: &Pen) -> String {
    let glyphs = pen.glyphs();
    let (paint, glyph) = match wait.token {
        Some(_) => (Paint::Waiting, glyphs.person),
        None => (Paint::Faint, glyphs.wait),
    };
    let until = wait.until.map(|until| format!(" (earliest {})", pen.ahead(until)));
    let place = wait.cluster.as_ref().map(|cluster| format!("{cluster}: "));
    let text = format!(
        "{glyph} {}{}: {}{}",
        place.unwrap_or_default(),
        wait.reason,
        wait.message,
        until.unwrap_or_default()
    );
    pen.paint(paint, &text)
}
