//! Goal G13 of the benchmark: every verdict says what it rests on.

use std::collections::BTreeMap;

use super::world::{Site, judge};
use crate::figures::percent;
use crate::judge::increments::float;
use crate::judge::random::Random;
use crate::judge::standing::{MetricStanding, Standing, times};
use crate::judge::{ArmCounts, Evidence, Judge, MetricName, MetricPlan};

/// The metric that a sentence is about: what shows most against, or least in favour of those
/// that a promotion waits for.
fn subject(standing: &Standing) -> &MetricStanding {
    let found = if standing.is_suspicious() {
        standing.worst()
    } else {
        let promoting = standing.metrics.iter().filter(|metric| metric.promotes);
        let weakest = promoting.min_by(|a, b| a.in_favour_ln.total_cmp(&b.in_favour_ln));
        weakest.or_else(|| standing.metrics.first())
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
        let places = match metric.clusters.len() {
            0 | 1 => String::new(),
            clusters => format!(" in {clusters} clusters"),
        };
        let events = canary.events;
        words.push(format!("{} of the canary's {events} events{places} are bad", share(canary)));
        words.push(match stable.events {
            0 => "stable has had none".to_owned(),
            _ => format!("{} of stable's", share(stable)),
        });
    }
    let (against, favour) = (times(standing.against_ln), times(metric.in_favour_ln));
    if standing.is_suspicious() {
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

/// A judge of errors and latency, and which of them a promotion waits for.
fn two_metrics(clusters: usize, promote: [bool; 2]) -> Judge {
    let one = judge(clusters);
    let plan = |(name, promotes)| MetricPlan {
        name: MetricName::from(name),
        weight: 0.5,
        promotes,
        ..one.metrics[0].clone()
    };
    Judge { metrics: ["errors", "latency"].into_iter().zip(promote).map(plan).collect(), ..one }
}

#[test]
fn every_verdict_says_what_it_rests_on() {
    let (mut taken_back, mut proven, mut open) = (0, 0, 0);
    let cases = [
        (1.0, [true, true]),
        (1.0, [true, false]),
        (2.0, [false, true]),
        (5.0, [true, false]),
        (20.0, [false, false]),
    ];
    for (case, (ratio, promote)) in cases.into_iter().enumerate() {
        let judge = two_metrics(3, promote);
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

/// Where errors and latency stand after so many windows at these ratios.
fn after(judge: &Judge, windows: i64, ratios: [f64; 2]) -> Standing {
    let equal = Site { weight: 0.5, canary_pods: 10, stable_pods: 10, ..Site::usual() };
    let [failing, slow] = ratios.map(|ratio| Site { ratio, ..equal });
    let mut random = Random::new(7);
    let factors = equal.factors(&mut random);
    let mut evidence = Evidence::default();
    for number in 0..windows {
        for (metric, site) in [("errors", failing), ("latency", slow)] {
            let mut window = site.window(&judge.clusters[0], number, &factors, &mut random);
            window.metric = MetricName::from(metric);
            judge.observe(&mut evidence, &BTreeMap::new(), vec![window]);
        }
    }
    judge.standing(&evidence)
}

#[test]
fn a_metric_that_promotes_nothing_is_named_only_when_it_takes_the_release_back() {
    // What promotes, windows, how much slower it is, and the metric that the sentence is about.
    let cases = [
        ([true, true], 12, 2.0, "latency", "knows least"),
        ([true, false], 12, 2.0, "errors", "knows less, but nothing waits for it"),
        ([true, false], 60, 1.5, "errors", "good enough, whatever latency says"),
        ([true, false], 60, 20.0, "latency", "takes it back all the same"),
        ([false, false], 12, 2.0, "errors", "nothing is waited for: the first"),
    ];
    for (promote, windows, slower, named, what) in cases {
        let standing = after(&two_metrics(1, promote), windows, [1.0, slower]);
        check(&standing);
        assert!(standing.sentence.starts_with(&format!("{named}: ")), "{what}: {standing:?}");
        let [errors, latency] = &standing.metrics[..] else { panic!("{standing:?}") };
        assert_eq!(standing.crossed.is_some(), slower > 2.0, "{what}");
        // The least over all metrics would be latency's, and hold the release up.
        assert!(latency.in_favour_ln < errors.in_favour_ln, "{what}: {standing:?}");
        let waited_for = match promote {
            [false, false] => f64::INFINITY,
            [true, false] => errors.in_favour_ln,
            _ => latency.in_favour_ln,
        };
        assert_eq!(standing.in_favour_ln.to_bits(), waited_for.to_bits(), "{what}");
        assert!(windows < 60 || errors.in_favour_ln >= standing.in_favour_bar_ln, "{what}");
    }
}

#[test]
fn what_only_informs_is_never_named_as_the_cause() {
    let with_weights = |errors, latency| {
        let mut judge = two_metrics(1, [true, false]);
        judge.metrics[0].weight = errors;
        judge.metrics[1].weight = latency;
        after(&judge, 60, [10.0, 40.0])
    };
    for (errors, latency, named) in [(1.0, 0.0, "errors"), (0.5, 0.5, "latency")] {
        let standing = with_weights(errors, latency);
        assert!(standing.crossed.is_some(), "{standing:?}");
        // Alone, latency shows more in both.
        assert!(standing.metrics[1].against_ln > standing.metrics[0].against_ln, "{standing:?}");
        assert!(standing.sentence.starts_with(&format!("{named}: ")), "{standing:?}");
    }
}
