//! The canary against the stable revision that serves beside it: a plain ratio of bad shares.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::figures::{float, percent, short, whole};
use crate::series::{Birth, NoDataReason, Series, events_since, newest_sample, scrape_interval};
use crate::verdict::{MetricVerdict, Verdict};

/// A younger newest sample is never stale, however often the source is scraped: one slow scrape
/// or one lost connection is no outage.
const STALE_AFTER_MIN: TimeDelta = TimeDelta::seconds(10);

/// How many scrapes in a row may be missing before the newest sample is stale.
const STALE_AFTER_SCRAPES: i32 = 3;

/// When the canary's bad share is too high. Made only by [`ComparisonRule::new`], so its numbers
/// can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComparisonRule {
    max_ratio: f64,
    tolerated_share: f64,
    min_samples: u64,
}

impl ComparisonRule {
    /// The rule "fails above `max_ratio` times stable's bad share and above `tolerated_share`,
    /// once `min_samples` events have been seen". None unless the ratio is a finite number from
    /// 1, the share one from 0 to 1, and at least one sample is asked for.
    #[must_use]
    pub fn new(max_ratio: f64, tolerated_share: f64, min_samples: u64) -> Option<Self> {
        let sound = max_ratio.is_finite()
            && max_ratio >= 1.0
            && (0.0..=1.0).contains(&tolerated_share)
            && min_samples > 0;
        sound.then_some(Self { max_ratio, tolerated_share, min_samples })
    }

    /// What is allowed, in words; with stable's share once it is known.
    fn limit(&self, stable_share: Option<f64>) -> String {
        let stable = stable_share.map_or("share".to_owned(), percent);
        let tolerated = percent(self.tolerated_share);
        format!("at most {} × stable's {stable} or {tolerated}", short(self.max_ratio))
    }
}

/// The counters of one arm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArmWindow {
    /// Counters of bad events. None at all means no bad event: many programs export a counter
    /// only after its first event.
    pub bad: Vec<Series>,
    /// Counters of all events, bad ones included.
    pub total: Vec<Series>,
}

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// When the evidence of this step opened; events before it do not count.
    pub opened_at: DateTime<Utc>,
    /// The provider's time at which the samples were read.
    pub judged_at: DateTime<Utc>,
    /// Time between scrapes as seen earlier, for when these samples are too few to tell.
    pub scrape_interval: Option<TimeDelta>,
    /// What the first value of a canary's counter means when nothing of its pod has been seen
    /// before `opened_at`.
    pub canary_birth: Birth,
    /// The revision on trial.
    pub canary: ArmWindow,
    /// The revision it is compared with; None while it carries no traffic. There is nothing to
    /// compare with then: the metric counts the canary's events and passes.
    pub stable: Option<ArmWindow>,
}

/// Judges one metric: windows in, verdict out.
#[must_use]
pub fn compare(metric: &str, rule: &ComparisonRule, windows: &Windows) -> MetricVerdict {
    let finding = judge(rule, windows).unwrap_or_else(|reason| Finding {
        verdict: Verdict::NoData,
        canary: None,
        stable_share: None,
        message: reason.to_string(),
    });
    MetricVerdict {
        metric: metric.to_owned(),
        verdict: finding.verdict,
        observed: finding.canary.and_then(Events::share).map(percent).unwrap_or_default(),
        limit: rule.limit(finding.stable_share),
        samples: finding.canary.map(|canary| whole(canary.total)),
        message: finding.message,
    }
}

/// What a comparison found.
struct Finding {
    verdict: Verdict,
    canary: Option<Events>,
    stable_share: Option<f64>,
    message: String,
}

/// Events of one arm since the evidence opened.
#[derive(Clone, Copy)]
struct Events {
    bad: f64,
    total: f64,
}

impl Events {
    /// The bad share; None without any event.
    fn share(self) -> Option<f64> {
        (self.total > 0.0).then(|| self.bad / self.total)
    }

    /// Whether the counters contradict each other: more bad events than events, or so many that
    /// a float cannot hold their sum.
    fn contradictory(self) -> bool {
        self.bad > self.total || !self.total.is_finite()
    }
}

fn judge(rule: &ComparisonRule, windows: &Windows) -> Result<Finding, NoDataReason> {
    let seen = seen_before(windows);
    let Some(stable) = &windows.stable else {
        let canary = events(&windows.canary, windows, &seen, windows.canary_birth)?;
        return Ok(Finding {
            verdict: Verdict::Pass,
            canary: Some(canary),
            stable_share: None,
            message: "stable carries no traffic: events are counted, not compared".to_owned(),
        });
    };
    require_fresh("canary", &windows.canary, windows)?;
    let canary = events(&windows.canary, windows, &seen, windows.canary_birth)?;
    let found = |verdict, stable_share, message| {
        Ok(Finding { verdict, canary: Some(canary), stable_share, message })
    };
    if canary.contradictory() {
        return found(Verdict::Error, None, contradiction("canary", canary));
    }
    let needed = rule.min_samples;
    let share = match canary.share() {
        Some(share) if canary.total >= float(needed) => share,
        _ => {
            let message = format!("{} of {needed} samples", whole(canary.total));
            return found(Verdict::Watch, None, message);
        }
    };
    let of_canary =
        format!("{} of the canary's {} events are bad", percent(share), whole(canary.total));
    if share <= rule.tolerated_share {
        return found(Verdict::Pass, None, format!("{of_canary}, which is tolerated"));
    }
    require_fresh("stable", stable, windows)?;
    let stable = events(stable, windows, &seen, Birth::Unknown)?;
    if stable.contradictory() {
        return found(Verdict::Error, None, contradiction("stable", stable));
    }
    let stable_share = match stable.share() {
        Some(share) if stable.total >= float(needed) => share,
        None => {
            let message = format!("{of_canary}, but stable had none in this step to compare with");
            return found(Verdict::Watch, None, message);
        }
        Some(_) => {
            let seen = whole(stable.total);
            let message = format!("{of_canary}, but stable has only {seen} of {needed} samples");
            return found(Verdict::Watch, None, message);
        }
    };
    let (verdict, relation) = if share > rule.max_ratio * stable_share {
        (Verdict::Fail, "more than")
    } else {
        (Verdict::Pass, "not more than")
    };
    let ratio = short(rule.max_ratio);
    let message = format!("{of_canary}, {relation} {ratio} × stable's {}", percent(stable_share));
    found(verdict, Some(stable_share), message)
}

fn contradiction(arm: &str, events: Events) -> String {
    format!(
        "the {arm} has {} bad of {} events: total must count the bad ones too",
        short(events.bad),
        short(events.total)
    )
}

/// Sources that were already scraped when the evidence opened. A counter of theirs that appears
/// later is new: one that appears with its first event counts from zero.
fn seen_before(windows: &Windows) -> BTreeSet<&str> {
    let arms = [Some(&windows.canary), windows.stable.as_ref()];
    arms.into_iter()
        .flatten()
        .flat_map(|arm| arm.bad.iter().chain(&arm.total))
        .filter(|series| series.samples.iter().any(|sample| sample.at <= windows.opened_at))
        .map(|series| series.source.as_str())
        .collect()
}

/// Requires that the arm is being scraped. Judging what is no longer measured would pass a
/// release whose pods cannot even answer a scrape.
fn require_fresh(
    arm: &'static str,
    window: &ArmWindow,
    windows: &Windows,
) -> Result<(), NoDataReason> {
    let newest = newest_sample(&window.total).ok_or(NoDataReason::Absent { arm })?;
    let interval = scrape_interval(&window.total).or(windows.scrape_interval);
    let limit = interval
        .and_then(|interval| interval.checked_mul(STALE_AFTER_SCRAPES))
        .map_or(STALE_AFTER_MIN, |limit| limit.max(STALE_AFTER_MIN));
    let age = windows.judged_at - newest;
    if age > limit { Err(NoDataReason::Stale { arm, age, limit }) } else { Ok(()) }
}

/// Counts the events of an arm. `birth` is for sources that nobody had seen before.
fn events(
    arm: &ArmWindow,
    windows: &Windows,
    seen: &BTreeSet<&str>,
    birth: Birth,
) -> Result<Events, NoDataReason> {
    let cutoffs = cutoffs(arm, windows.scrape_interval);
    let sum = |counters: &[Series]| {
        // Summed in a fixed order: floats that are added in another order may differ in the
        // last digit, and a verdict must not depend on how the source sorts its answer.
        let mut sorted: Vec<_> = counters.iter().collect();
        sorted.sort_by(|a, b| (&a.source, &a.key).cmp(&(&b.source, &b.key)));
        sorted.into_iter().try_fold(0.0, |sum, series| {
            let known = seen.contains(series.source.as_str());
            let birth = if known { Birth::FromZero } else { birth };
            let counted = match cutoffs.get(series.source.as_str()) {
                Some(cutoff) => events_since(&until(series, *cutoff), windows.opened_at, birth)?,
                None => events_since(series, windows.opened_at, birth)?,
            };
            Ok(sum + counted)
        })
    };
    Ok(Events { bad: sum(&arm.bad)?, total: sum(&arm.total)? })
}

/// The last scrape of each source that counts. Bad and total are read by two requests; a scrape
/// that lands between them is in one answer only, and would make bad events without events, or
/// hide the newest bad ones.
fn cutoffs(arm: &ArmWindow, interval: Option<TimeDelta>) -> BTreeMap<&str, DateTime<Utc>> {
    let newest_by_source = |counters: &[Series]| {
        let mut newest: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        for series in counters {
            if let Some(at) = newest_sample([series]) {
                let entry = newest.entry(series.source.clone()).or_insert(at);
                *entry = at.max(*entry);
            }
        }
        newest
    };
    let newest_total = newest_by_source(&arm.total);
    let newest_bad = newest_by_source(&arm.bad);
    let newest_of_all = newest_sample(&arm.total);
    // A bad counter that is further behind than this has ended (a restart); it hides nothing.
    let one_scrape = scrape_interval(&arm.total).or(interval).unwrap_or_default() * 3 / 2;
    let mut cutoffs = BTreeMap::new();
    for series in &arm.bad {
        let source = series.source.as_str();
        let (Some(bad), Some(total)) =
            (newest_bad.get(source), newest_total.get(source).or(newest_of_all.as_ref()))
        else {
            continue;
        };
        if *total - *bad <= one_scrape {
            cutoffs.insert(source, *bad.min(total));
        }
    }
    cutoffs
}

fn until(series: &Series, cutoff: DateTime<Utc>) -> Series {
    let samples = series.samples.iter().filter(|sample| sample.at <= cutoff).copied().collect();
    Series { samples, ..series.clone() }
}

#[cfg(test)]
mod tests;
