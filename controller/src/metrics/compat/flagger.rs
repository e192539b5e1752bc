//! Analyses of Flagger: one for each template and member, over all steps of an attempt.
//!
//! A look begins an interval after the step's weight is in force, and comes every interval. The
//! failed checks of one step are still counted in the next one, as Flagger does.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    MetricVerdict, Verdict,
    compat::flagger::{
        AnalysisRule, Check, Decision, Limits, NoData, Reading, Stage, TickInput, TickState, tick,
    },
};
use lockflight_crds as wire;

use super::{parse::span, shown};
use crate::metrics::{
    counters::{KeptAnalysis, time},
    state::GateRequest,
    template::TemplateError,
    threshold::limit_text,
};

/// What the checks of a template share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlaggerAnalysis {
    interval: Duration,
    rule: AnalysisRule,
}

impl FlaggerAnalysis {
    /// The analysis of a template, without its checks.
    pub(crate) fn parse(analysis: &wire::FlaggerAnalysis) -> Result<Self, TemplateError> {
        let no_data = match analysis.no_data {
            wire::FlaggerNoData::Hold => NoData::Hold,
            wire::FlaggerNoData::Fail => NoData::Fail,
            wire::FlaggerNoData::Ignore => NoData::Ignore,
        };
        Ok(Self {
            interval: span("flagger.interval", &analysis.interval)?,
            rule: AnalysisRule {
                checks: Vec::new(),
                threshold: analysis.threshold,
                failed_check_decay: analysis.failed_check_decay,
                no_data,
            },
        })
    }

    /// One whose rule is not known yet.
    fn without_checks() -> Self {
        Self {
            interval: Duration::ZERO,
            rule: AnalysisRule {
                checks: Vec::new(),
                threshold: 0,
                failed_check_decay: 0,
                no_data: NoData::Hold,
            },
        }
    }

    /// Adds a check; its position.
    pub(crate) fn join(&mut self, check: Check) -> usize {
        self.rule.checks.push(check);
        self.rule.checks.len() - 1
    }

    /// What the check at a position allows.
    pub(crate) fn limits(&self, position: usize) -> Option<Limits> {
        self.rule.checks.get(position).map(|check| check.limits)
    }

    /// Whether no metric is part of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.rule.checks.is_empty()
    }
}

/// The analyses of a member, by the name of their template.
#[derive(Debug, Default)]
pub(super) struct Analyses {
    open: BTreeMap<String, Analysis>,
}

#[derive(Debug)]
struct Analysis {
    of: FlaggerAnalysis,
    state: TickState,
    /// The step's opening, or the last look.
    counts_from: DateTime<Utc>,
    /// What the last look of this step decided.
    decision: Option<Decision>,
    /// The check that failed last, in whatever step.
    failed_last: Option<usize>,
    /// What was read since the last look.
    readings: Vec<Option<Result<Vec<f64>, String>>>,
    /// The readings of the last look, for people.
    seen: Vec<String>,
}

impl Analyses {
    /// Takes up the analyses of a request.
    pub(super) fn turn_to(&mut self, request: &GateRequest, new_step: bool) {
        let mut known = std::mem::take(&mut self.open);
        for template in &request.analysis {
            let Some(of) = &template.flagger else { continue };
            let mut analysis = known.remove(&template.name).unwrap_or_else(|| Analysis {
                of: of.clone(),
                state: TickState::default(),
                counts_from: request.opened_at,
                decision: None,
                failed_last: None,
                readings: Vec::new(),
                seen: Vec::new(),
            });
            analysis.of.clone_from(of);
            if new_step {
                analysis.counts_from = request.opened_at;
                analysis.decision = None;
            }
            self.open.insert(template.name.clone(), analysis);
        }
    }

    /// What was counted, by template.
    pub(super) fn kept(&self) -> Vec<(String, KeptAnalysis)> {
        let kept = |analysis: &Analysis| KeptAnalysis {
            failed_checks: analysis.state.failed_checks,
            counts_from_ms: analysis.counts_from.timestamp_millis(),
            decision: analysis.decision,
            failed_last: analysis.failed_last,
        };
        self.open.iter().map(|(template, of)| (template.clone(), kept(of))).collect()
    }

    /// Analyses that count on. Their checks come with the next request.
    pub(super) fn counting_on(kept: Vec<(String, KeptAnalysis)>) -> Self {
        let open = kept.into_iter().filter_map(|(template, kept)| {
            let analysis = Analysis {
                of: FlaggerAnalysis::without_checks(),
                state: TickState { failed_checks: kept.failed_checks },
                counts_from: time(kept.counts_from_ms)?,
                decision: kept.decision,
                failed_last: kept.failed_last,
                readings: Vec::new(),
                seen: Vec::new(),
            };
            Some((template, analysis))
        });
        Self { open: open.collect() }
    }

    /// When the next look is due.
    pub(super) fn next_at(&self, template: &str) -> Option<DateTime<Utc>> {
        self.open.get(template).and_then(Analysis::next_at)
    }

    /// When the first of them is due.
    pub(super) fn earliest(&self) -> Option<DateTime<Utc>> {
        self.open.values().filter_map(Analysis::next_at).min()
    }

    /// Takes in the reading of a check.
    pub(super) fn read(
        &mut self,
        template: &str,
        position: usize,
        values: Result<Vec<f64>, String>,
    ) {
        let Some(analysis) = self.open.get_mut(template) else { return };
        let checks = analysis.of.rule.checks.len();
        analysis.readings.resize(checks, None);
        if let Some(place) = analysis.readings.get_mut(position) {
            *place = Some(values);
        }
    }

    /// Makes the look of every analysis that has been read.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        for analysis in self.open.values_mut() {
            if analysis.readings.iter().any(Option::is_some) {
                analysis.tick(now);
            }
        }
    }

    /// What a check has come to.
    pub(super) fn verdict(&self, template: &str, position: usize, name: &str) -> MetricVerdict {
        let analysis = self.open.get(template);
        let (verdict, sentence) = analysis.map_or_else(
            || (Verdict::Watch, "has not been looked at".to_owned()),
            |analysis| analysis.judged(position),
        );
        let check = analysis.and_then(|analysis| analysis.of.rule.checks.get(position));
        let seen = analysis.and_then(|analysis| analysis.seen.get(position));
        MetricVerdict {
            metric: name.to_owned(),
            verdict,
            observed: seen.cloned().unwrap_or_default(),
            limit: check.map(|check| limit_text(check.limits)).unwrap_or_default(),
            samples: None,
            message: format!("{name}: {sentence}"),
        }
    }
}

impl Analysis {
    fn next_at(&self) -> Option<DateTime<Utc>> {
        self.counts_from.checked_add_signed(TimeDelta::from_std(self.of.interval).ok()?)
    }

    fn tick(&mut self, now: DateTime<Utc>) {
        let read = std::mem::take(&mut self.readings);
        let readings: Vec<Reading> = read
            .iter()
            .map(|reading| match reading {
                Some(Ok(values)) => {
                    values.last().map_or(Reading::NoValues, |value| Reading::Value(*value))
                }
                Some(Err(_)) => Reading::QueryFailed,
                None => Reading::NoValues,
            })
            .collect();
        self.seen = read
            .into_iter()
            .map(|reading| match reading {
                Some(Ok(values)) => shown(values.last().map_or(&[], std::slice::from_ref)),
                Some(Err(why)) => why,
                None => String::new(),
            })
            .collect();
        // A gate is open while the canary has traffic and has yet to prove itself; the hooks of a
        // Canary have no counterpart.
        let input = TickInput {
            stage: Stage::Progressing,
            has_traffic: true,
            webhooks: &[],
            readings: &readings,
        };
        let (state, decision) = tick(&self.of.rule, self.state, &input);
        if let Decision::CheckFailed(position) = decision {
            self.failed_last = Some(position);
        }
        (self.state, self.decision, self.counts_from) = (state, Some(decision), now);
    }

    /// The verdict of the check at a position. Only the one that decided holds or fails.
    fn judged(&self, position: usize) -> (Verdict, String) {
        let counted = format!(
            "{} failed checks, the threshold is {}",
            self.state.failed_checks,
            self.of.rule.threshold.max(1)
        );
        // After a restart of the hub the readings of the last look are not known any more.
        let seen = self
            .seen
            .get(position)
            .map_or("a reading before the hub started again", String::as_str);
        let check = self.of.rule.checks.get(position);
        let limit = check.map(|check| limit_text(check.limits)).unwrap_or_default();
        match self.decision {
            None => (Verdict::Watch, "waits for its first look".to_owned()),
            Some(Decision::Advance) => (Verdict::Pass, format!("{seen} ({limit})")),
            Some(Decision::Rollback) if self.failed_last.unwrap_or(0) == position => {
                (Verdict::Fail, format!("{counted}; last: {seen} ({limit})"))
            }
            Some(Decision::CheckFailed(failed)) if failed == position => {
                (Verdict::Watch, format!("failed check: {seen} ({limit}); {counted}"))
            }
            Some(Decision::Hold(empty)) if empty == position => {
                (Verdict::NoData, format!("no value: {seen}; noData is Hold"))
            }
            Some(_) => (Verdict::Watch, "waits for another check of its analysis".to_owned()),
        }
    }
}
