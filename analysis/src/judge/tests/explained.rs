//! Goal G13 of the benchmark: every verdict says what it rests on.

use std::collections::BTreeMap;

use super::world::{Site, judge};
use crate::figures::percent;
use crate::judge::increments::float;
use crate::judge::random::Random;
use crate::judge::standing::{MetricStanding, Standing, times};
use crate::judge::{ArmCounts, Evidence, MetricName};

/// The metric that a sentence is about: what shows most against, or least in favour.
fn subject(standing: &Standing) -> &MetricStanding {
    let metrics = standing.metrics.iter();
    let found = if standing.crossed.is_some() {
        metrics.max_by(|a, b| a.against_ln.total_cmp(&b.against_ln))
    } else {
        metrics.min_by(|a, b| a.in_favour_ln.total_cmp(&b.in_favour_ln))
    };
    found.expect("a metric")
}

fn share(counts: ArmCounts) -> String {
    percent(float(counts.bad) / float(counts.events.max(1)))
}

/// The metric, both shares, the evidence and its bar, and what is still needed.
fn check(standing: &Standing) {
    let (sentence, metric) = (&standing.sentence, subject(standing));
    let mut words = vec![format!("{}: ", metric.name)];
    let (canary, stable) = (metric.rates.canary, metric.rates.stable);
    if canary.events == 0 {
        words.push("no events yet".to_owned());
    } else {
        words.push(format!("{} of the canary's {} events are bad", share(canary), canary.events));
        words.push(match stable.events {
            0 => "stable has had none".to_owned(),
            _ => format!("{} of stable's", share(stable)),
        });
    }
    let (against, favour) = (times(metric.against_ln), times(metric.in_favour_ln));
    if standing.crossed.is_some() {
        let bar = times(standing.against_bar_ln);
        words.push(format!("evidence that it is worse: {against} (taken back at {bar})"));
    } else {
        words.push(format!("evidence that it is good: {favour}"));
        if standing.in_favour_ln < standing.in_favour_bar_ln {
            words.push(format!(" of {}, ", times(standing.in_favour_bar_ln)));
            words.push(format!("about {} more canary events", metric.needed_events));
            assert!(metric.needed_events > 0, "{sentence}");
        }
    }
    for word in words {
        assert!(sentence.contains(&word), "{sentence:?} does not say {word:?}");
    }
}

/// The clusters' shares add up to those of the whole.
fn check_clusters(standing: &Standing) {
    for metric in &standing.metrics {
        let mut sum = (ArmCounts::default(), ArmCounts::default());
        for cluster in &metric.clusters {
            assert!(cluster.against_ln.is_finite(), "{cluster:?}");
            for (into, of) in
                [(&mut sum.0, cluster.rates.canary), (&mut sum.1, cluster.rates.stable)]
            {
                into.bad += of.bad;
                into.events += of.events;
            }
        }
        assert_eq!(sum, (metric.rates.canary, metric.rates.stable));
    }
}

#[test]
fn every_verdict_says_what_it_rests_on() {
    let (mut taken_back, mut proven, mut open) = (0, 0, 0);
    for (case, ratio) in [1.0, 1.0, 2.0, 5.0, 20.0].into_iter().enumerate() {
        let mut judge = judge(3);
        let second = judge.metrics[0].clone();
        judge.metrics[0].weight = 0.5;
        judge.metrics.push(crate::judge::MetricPlan {
            name: MetricName::from("latency"),
            weight: 0.5,
            ..second
        });
        let site = Site { ratio, ..Site::usual() };
        let mut random = Random::new(case as u64);
        let factors = site.factors(&mut random);
        let mut evidence = Evidence::default();
        check(&judge.standing(&evidence));
        for number in 0..400 {
            for (name, metric) in judge.clusters.iter().zip(["errors", "latency", "errors"]) {
                let mut window = site.window(name, number, &factors, &mut random);
                window.metric = MetricName::from(metric);
                judge.observe(&mut evidence, &BTreeMap::new(), vec![window]);
                let standing = judge.standing(&evidence);
                check(&standing);
                check_clusters(&standing);
                match standing {
                    Standing { crossed: Some(_), .. } => taken_back += 1,
                    Standing { in_favour_ln, in_favour_bar_ln, .. }
                        if in_favour_ln >= in_favour_bar_ln =>
                    {
                        proven += 1;
                    }
                    Standing { .. } => open += 1,
                }
            }
        }
    }
    // Each kind of verdict was there.
    assert!(taken_back > 10 && proven > 10 && open > 10, "{taken_back} {proven} {open}");
}
