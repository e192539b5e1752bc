//! Comparisons with the stable revision, parsed at the door.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::TimeDelta;
use lockflight_analysis::{
    Piece,
    judge::{Margin, Margins},
    pieces,
    reading::{self, Answers, Level, Split},
};
use lockflight_crds::Arms;
use sha2::{Digest as _, Sha256};

use super::{
    plan::both_forms,
    query::{Builtins, Query, fill_plain},
    template::TemplateError,
};

/// Bounds at which a histogram is compared: above stable's p50, p90 and p99.
const EDGES_MAX: usize = 3;

/// How the names of series end that only ever rise.
const COUNTER_SUFFIXES: [&str; 2] = ["_total", "_bucket"];

/// From so much on the digits behind the point of a level tell nothing.
const LEVEL_WITH_DIGITS: f64 = 1000.0;

/// A comparison with the stable revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub(super) source: Source,
    /// How the series are read.
    pub(super) reading: reading::Settings,
    /// How much worse is worse.
    pub margins: Margins,
    /// Greatest bad share that stable may have by itself; none where that is not looked at.
    pub(super) stable_health: Option<f64>,
    /// Tells what is asked and read apart from what an edited template asks and reads.
    pub(super) mark: String,
    /// Streams of the judge: up to three for a histogram, one for anything else.
    pub streams: usize,
}

/// What a comparison counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// Bad events among all.
    Counters {
        /// Selector of the counters of bad events.
        bad: Query,
        /// Selector of the counters of all events.
        total: Query,
    },
    /// Slow events among all: selector of a histogram, without the suffix of its counters.
    Histogram(Query),
    /// Windows of pods in which a gauge was high: its selector.
    Gauge(Query),
}

impl Source {
    /// The selectors that are asked.
    pub(super) fn selectors(&self, builtins: &Builtins<'_>) -> Vec<String> {
        match self {
            Self::Counters { bad, total } => vec![bad.render(builtins), total.render(builtins)],
            Self::Histogram(query) => vec![both_forms(&query.render(builtins))],
            Self::Gauge(query) => vec![query.render(builtins)],
        }
    }

    /// The last of them: that of all events, where events are counted.
    pub(super) fn selector_of_all(&self, builtins: &Builtins<'_>) -> Vec<String> {
        let mut selectors = self.selectors(builtins);
        selectors.split_off(selectors.len().saturating_sub(1))
    }

    /// The answers to its selectors; none where one is missing.
    pub(super) fn answers(&self, samples: &[reading::Answer]) -> Option<Answers> {
        match (self, samples) {
            (Self::Counters { .. }, [bad, total]) => {
                Some(Answers::Counters { bad: bad.clone(), total: total.clone() })
            }
            (Self::Histogram(_), [histogram]) => Some(Answers::Histogram(histogram.clone())),
            (Self::Gauge(_), [gauge]) => Some(Answers::Gauge(gauge.clone())),
            _ => None,
        }
    }
}

impl Comparison {
    /// Whether it counts events, such as requests. A gauge does not: nobody has to wait for a
    /// number of them.
    #[must_use]
    pub fn counts_events(&self) -> bool {
        !matches!(self.source, Source::Gauge(_))
    }

    /// How long a new pod is left out of it.
    #[must_use]
    pub fn warm_up(&self) -> TimeDelta {
        self.reading.warm_up
    }

    /// The level of a gauge for people: the given one, or else the one `chosen` from stable. None
    /// of what counts events.
    pub(super) fn level_or(&self, chosen: Option<f64>) -> Option<String> {
        let level = match self.reading.level {
            Level::Above(level) => level,
            Level::BeyondStable(_) => chosen?,
        };
        let digits = if level.abs() < LEVEL_WITH_DIGITS { 3 } else { 0 };
        (!self.counts_events()).then(|| format!("{level:.digits$}"))
    }

    /// The name under which the levels of a metric are kept.
    pub(super) fn level_name(&self, metric: &str) -> String {
        format!("{metric}@{}", self.mark)
    }

    /// Parses what stands under `field` in a template.
    pub(super) fn parse(
        field: &str,
        comparison: &lockflight_crds::Comparison,
        args: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let lockflight_crds::Comparison { by, warm_up, stable_health, above, .. } = comparison;
        let source = parse_source(field, comparison, args)?;
        let split = parse_arms(&format!("{field}.by"), by, args)?;
        let gauge = matches!(source, Source::Gauge(_));
        if gauge && matches!(split, Split::Label { .. }) {
            return Err(unusable(
                format!("{field}.by"),
                "a gauge is compared by pods: set by.pod, and name a series that has a pod label",
            ));
        }
        let margins = Margins {
            tolerate: parse_margin(
                &format!("{field}.tolerate"),
                &comparison.tolerate_or_default(),
            )?,
            rule_out: parse_margin(&format!("{field}.ruleOut"), &comparison.rule_out_or_default())?,
        };
        let level = match above {
            None => Level::BeyondStable(margins.tolerate.ratio),
            Some(above) => {
                let value = above.parse::<f64>().ok().filter(|value| gauge && value.is_finite());
                Level::Above(value.ok_or_else(|| {
                    let why = "must be a decimal number and goes with gauge";
                    unusable(format!("{field}.above"), why)
                })?)
            }
        };
        let warm_up = warm_up.to_std().ok().and_then(|span| TimeDelta::from_std(span).ok());
        let reading = reading::Settings {
            observer_labels: observer_labels(&split),
            split,
            warm_up: warm_up
                .ok_or_else(|| TemplateError::WarmUp { field: format!("{field}.warmUp") })?,
            level,
            ..reading::Settings::by_pod("pod")
        };
        let stable_health = stable_health.as_deref().map(|share| {
            let share = share.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            share.filter(|_| matches!(source, Source::Counters { .. })).ok_or_else(|| {
                let why = "must be a share from 0 to 1 and goes with bad and total";
                unusable(format!("{field}.stableHealth"), why)
            })
        });
        Ok(Self {
            mark: mark_of(&source, &reading),
            stable_health: stable_health.transpose()?,
            streams: if matches!(source, Source::Histogram(_)) { EDGES_MAX } else { 1 },
            source,
            reading,
            margins,
        })
    }
}

/// A mark of what is asked and of how it is read: four bytes of a hash, as hexadecimal digits.
/// Another version of the hub may make another one; then a level is chosen anew.
fn mark_of(source: &Source, reading: &reading::Settings) -> String {
    let mut mark = String::new();
    for byte in Sha256::digest(format!("{source:?} {reading:?}")).iter().take(4) {
        // Writing to a String cannot fail.
        let _ = write!(mark, "{byte:02x}");
    }
    mark
}

fn parse_source(
    field: &str,
    comparison: &lockflight_crds::Comparison,
    args: &BTreeMap<String, String>,
) -> Result<Source, TemplateError> {
    let lockflight_crds::Comparison { bad, total, histogram, gauge, .. } = comparison;
    match (bad, total, histogram, gauge) {
        (Some(bad), Some(total), None, None) => Ok(Source::Counters {
            bad: selector(&format!("{field}.bad"), bad, args)?,
            total: selector(&format!("{field}.total"), total, args)?,
        }),
        (None, None, Some(histogram), None) => {
            Ok(Source::Histogram(selector(&format!("{field}.histogram"), histogram, args)?))
        }
        (None, None, None, Some(gauge)) => {
            let field = format!("{field}.gauge");
            let query = selector(&field, gauge, args)?;
            let name = gauge.split('{').next().unwrap_or_default().trim();
            if COUNTER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
                return Err(unusable(
                    field,
                    "is a counter by its name, which only tells how old a pod is: name a series \
                     that goes up and down, for example one that a recording rule makes of its rate",
                ));
            }
            Ok(Source::Gauge(query))
        }
        _ => Err(TemplateError::Choice {
            field: field.to_owned(),
            choice: "bad with total, histogram and gauge",
        }),
    }
}

fn unusable(field: String, why: &str) -> TemplateError {
    TemplateError::Unusable { field, why: why.to_owned() }
}

/// Labels that say who scraped. The one that tells the arms apart says what was counted: Traefik
/// has `service` for that.
fn observer_labels(split: &Split) -> Vec<String> {
    let mut labels = reading::Settings::by_pod("pod").observer_labels;
    if let Split::Label { name, .. } = split {
        labels.retain(|label| label != name);
    }
    labels
}

fn parse_margin(field: &str, margin: &lockflight_crds::Margin) -> Result<Margin, TemplateError> {
    let ratio = margin.ratio.parse::<f64>().ok().filter(|r| r.is_finite() && *r >= 1.0);
    let difference = margin.difference.parse::<f64>().ok().filter(|d| (0.0..=1.0).contains(d));
    match (ratio, difference) {
        (Some(ratio), Some(difference)) => Ok(Margin { ratio, difference }),
        _ => Err(TemplateError::Margin { field: field.to_owned() }),
    }
}

/// A selector, to which the hub appends a range.
fn selector(
    field: &str,
    text: &str,
    args: &BTreeMap<String, String>,
) -> Result<Query, TemplateError> {
    let plain = pieces(text).into_iter().all(|piece| match piece {
        Piece::Code(code) => !code.contains(['(', ')', '[', ']', '@', '+', '*', '/', ';']),
        Piece::Quoted { .. } | Piece::Comment(_) => true,
    });
    if !plain {
        return Err(TemplateError::NotASelector { field: field.to_owned() });
    }
    Query::parse(field, text, args)
}

fn parse_arms(
    field: &str,
    arms: &Arms,
    args: &BTreeMap<String, String>,
) -> Result<Split, TemplateError> {
    match (&arms.pod, &arms.label) {
        (Some(pod), None) => Ok(Split::Pod { label: pod.label.clone() }),
        (None, Some(label)) => Ok(Split::Label {
            name: label.name.clone(),
            stable: fill_plain(&format!("{field}.label.stable"), &label.stable, args)?,
            canary: fill_plain(&format!("{field}.label.canary"), &label.canary, args)?,
        }),
        _ => Err(TemplateError::Choice { field: field.to_owned(), choice: "pod and label" }),
    }
}
