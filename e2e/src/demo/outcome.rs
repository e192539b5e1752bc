//! How the demo ended, and what was not as it should be.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use lockflight_crds::{AttemptPhase, Rollout};

use super::measure::Caught;
use super::table;
use crate::load::LoadReport;
use crate::service::{ServiceReport, ended};

/// Requests may still be under way for so long when the router has acknowledged.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(1);

/// How the demo ended.
pub(super) struct Outcome {
    /// The Rollout when v2 had come to its end.
    pub(super) promoted: Rollout,
    /// What became of v3, if it came to that.
    pub(super) bad: Option<Bad>,
    /// Every request.
    pub(super) report: ServiceReport,
}

/// What became of the bad release.
pub(super) struct Bad {
    /// The Rollout when it had come to its end.
    pub(super) rollout: Rollout,
    /// Whether v2 served in every cluster after that.
    pub(super) v2_serves: bool,
    /// How it was caught.
    pub(super) caught: Option<Caught>,
}

impl Outcome {
    /// What was not as it should be, a sentence each.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let end = ended(&self.promoted);
        if end != Some(AttemptPhase::Completed) {
            found.push(format!("v2 was not promoted but {}", word(end)));
        }
        if let Some(bad) = &self.bad {
            bad.differences(self.answered().map(|(_, last)| last), &mut found);
        }
        for (member, load) in &self.report.members {
            requests(member, load, &mut found);
        }
        found
    }

    /// When v3 was first and last seen to answer.
    fn answered(&self) -> Option<(Instant, Instant)> {
        let seen = || self.report.members.values().filter_map(|load| load.seen.get("v3"));
        seen().map(|seen| seen.first).min().zip(seen().map(|seen| seen.last).max())
    }

    /// The tables and the last words, as text that ends with a line break.
    pub(super) fn describe(&self, took: Duration) -> String {
        let mut text = String::new();
        if let Some(caught) = self.bad.as_ref().and_then(|bad| bad.caught.as_ref()) {
            text += &caught.describe("v3", self.answered());
            text.push('\n');
        }
        text += &table::requests(&self.report);
        text.push('\n');
        let differences = self.differences();
        if differences.is_empty() {
            return text + &self.praise(took);
        }
        text += "NOT as it should be:\n";
        text + &differences
            .into_iter()
            .map(|line| format!("  - {line}\n"))
            .collect::<Vec<_>>()
            .concat()
    }

    fn praise(&self, took: Duration) -> String {
        let answers = self.report.of_version("v3");
        let failed = |load: &LoadReport| load.by_version.get("v3")?.get(&500).copied();
        let errors: u64 = self.report.members.values().filter_map(failed).sum();
        let members = self.report.members.keys().map(String::as_str);
        let unseen: Vec<&str> =
            members.filter(|member| self.report.in_member(member, "v3") == 0).collect();
        let unseen = match unseen.as_slice() {
            [] => String::new(),
            names => format!(" and never reached {}", names.join(" and ")),
        };
        format!(
            "As it should be: v2 was promoted in every cluster. v3 was taken back after\n\
             {answers} requests ({errors} errors){unseen}. v2 serves everywhere,\n\
             and no request was lost. All of it took {:.0} s.\n",
            took.as_secs_f64(),
        )
    }
}

impl Bad {
    fn differences(&self, last_answer: Option<Instant>, found: &mut Vec<String>) {
        let end = ended(&self.rollout);
        if end != Some(AttemptPhase::Aborted) {
            found.push(format!("v3 was not aborted but {}", word(end)));
        }
        if !self.v2_serves {
            found.push("v2 does not serve everywhere after v3".to_owned());
        }
        let Some(caught) = &self.caught else {
            return;
        };
        if caught.abort.metric.is_none() {
            found.push(format!("v3 was not aborted by a gate: {}", caught.abort.message));
        }
        let witnesses = [
            (caught.written, "the write of weight 0"),
            (caught.acknowledged, "the router's acknowledgement of weight 0"),
        ];
        let unseen = witnesses.iter().filter(|(at, _)| at.is_none());
        found.extend(unseen.map(|(_, what)| format!("nobody saw {what}")));
        let since = caught.acknowledged.zip(last_answer);
        if since.is_some_and(|(at, last)| caught.clock.at(last) - at > UNDER_WAY) {
            found.push("v3 went on answering after the router's acknowledgement".to_owned());
        }
    }
}

fn requests(member: &str, load: &LoadReport, found: &mut Vec<String>) {
    if load.lost > 0 {
        let mut why = load.lost_errors.clone();
        why.sort_unstable();
        why.dedup();
        found.push(format!("requests lost in {member}: {} ({})", load.lost, why.join(", ")));
    }
    if load.gateway_errors > 0 {
        let (errors, statuses) = (load.gateway_errors, &load.gateway_statuses);
        found.push(format!("requests failed by the gateway of {member}: {errors} {statuses:?}"));
    }
    if load.overrun > 0 {
        let why = "too many were in flight";
        found.push(format!("requests not sent to {member}: {} ({why})", load.overrun));
    }
    for version in ["v1", "v2"] {
        let statuses = load.by_version.get(version).into_iter().flatten();
        let errors: u64 = statuses.filter(|(status, _)| **status >= 400).map(|(_, n)| n).sum();
        if errors > 0 {
            found.push(format!("errors of {version} in {member}: {errors}"));
        }
    }
}

fn word(end: Option<AttemptPhase>) -> &'static str {
    match end {
        Some(AttemptPhase::Completed) => "promoted",
        Some(AttemptPhase::Aborted) => "aborted",
        Some(AttemptPhase::Progressing | AttemptPhase::Aborting) | None => "still under way",
    }
}
