//! Every selector of every built-in template, against pages of its source.
//!
//! `scrapes/NAME.txt` holds the page, its first line says what it proves the template on. A line
//! `#target` names the labels that a scrape adds to the series below it. How pages are recorded:
//! `scrapes/README.md`.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_analysis::{
    Sample,
    judge::Arm,
    reading::{self, Answer, Answers, Cursor, PodFacts, Pods, RawSeries, Split},
};
use promql_parser::parser::{Expr, VectorSelector, parse};

use super::{BUILTIN_PREFIX, Builtin};
use crate::metrics::{
    Subject,
    comparison::{Comparison, Source},
    query::Builtins,
    template::{ResolvedTemplate, resolve},
};

const SUBJECT: Subject<'_> = Subject { namespace: "shop", rollout: "checkout" };
const STABLE_POD: &str = "checkout-6c91846a79-5655c66b84-mn7pd";
const CANARY_POD: &str = "checkout-dca264ff73-95777c65b-nllzr";

/// Scrapes of the simulated counters, and the time from one to the next.
const SCRAPES: i32 = 60;
const INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// Bad and all events of the canary and of stable that the errors of a page come to.
type Events = [(f64, f64); 2];

/// A built-in, its arguments, its page, and the events on it.
type Page = (&'static str, &'static [(&'static str, &'static str)], &'static str, Events);

pub(super) const PAGES: [Page; 11] = {
    const WRITTEN: Events = [(24.0, 1084.0), (7.0, 5357.0)];
    let gateway: &[_] = &[("gateway", "edge")];
    [
        ("app", &[], include_str!("scrapes/app.txt"), [(24.0, 206.0), (0.0, 2217.0)]),
        ("cilium", gateway, include_str!("scrapes/cilium.txt"), [(31.0, 524.0), (4.0, 1476.0)]),
        ("contour", &[], include_str!("scrapes/contour.txt"), [(24.0, 1076.0), (0.0, 4497.0)]),
        (
            "envoy-gateway",
            &[],
            include_str!("scrapes/envoy-gateway.txt"),
            [(32.0, 325.0), (5.0, 1178.0)],
        ),
        ("istio", &[], include_str!("scrapes/istio.txt"), WRITTEN),
        ("istio-gateway", &[], include_str!("scrapes/istio-gateway.txt"), WRITTEN),
        ("istio-grpc", &[], include_str!("scrapes/istio-grpc.txt"), WRITTEN),
        ("linkerd", &[], include_str!("scrapes/linkerd.txt"), WRITTEN),
        ("linkerd-gateway", &[], include_str!("scrapes/linkerd-gateway.txt"), WRITTEN),
        ("nginx-gateway-fabric", &[], include_str!("scrapes/nginx-gateway-fabric.txt"), WRITTEN),
        ("traefik", &[], include_str!("scrapes/traefik.txt"), [(33.0, 330.0), (6.0, 1321.0)]),
    ]
};

pub(super) fn resolved(name: &str, args: &[(&str, &str)]) -> ResolvedTemplate {
    let spec = Builtin::find(name).and_then(Builtin::spec).expect(name);
    let args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve(&format!("{BUILTIN_PREFIX}{name}"), &spec, SUBJECT, &args)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn vector_selector(text: &str) -> VectorSelector {
    match parse(text) {
        Ok(Expr::VectorSelector(selector)) => selector,
        other => panic!("{text}: not a plain selector: {other:?}"),
    }
}

/// The series of a page with their values. What stands before a value is a selector of itself.
fn series(page: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let labels = |text: &str| {
        let VectorSelector { name, matchers, .. } = vector_selector(text);
        let labels = matchers.matchers.into_iter().map(|matcher| (matcher.name, matcher.value));
        let name = name.map(|name| ("__name__".to_owned(), name));
        labels.chain(name).collect::<BTreeMap<_, _>>()
    };
    let (mut found, mut target) = (Vec::new(), BTreeMap::new());
    for line in page.lines() {
        if let Some(added) = line.strip_prefix("#target ") {
            target = labels(&format!("{{{added}}}"));
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let mut labels = labels(series);
            labels.extend(target.clone());
            found.push((labels, value.parse().expect(line)));
        }
    }
    found
}

/// The series that a selector finds.
pub(super) fn select(selector: &str, page: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let VectorSelector { name, matchers, .. } = vector_selector(selector);
    assert!(matchers.or_matchers.is_empty(), "{selector}: or");
    let value = |labels: &BTreeMap<String, String>, label: &str| {
        labels.get(label).cloned().unwrap_or_default()
    };
    let mut found = series(page);
    found.retain(|(labels, _)| {
        name.as_ref().is_none_or(|name| value(labels, "__name__") == *name)
            && matchers.matchers.iter().all(|m| m.is_match(&value(labels, &m.name)))
    });
    found
}

/// The texts that a comparison asks, as a round renders them.
pub(super) fn selectors(comparison: &Comparison) -> Vec<String> {
    let builtins = Builtins {
        window: "90s".to_owned(),
        canary_pods: CANARY_POD.to_owned(),
        stable_pods: STABLE_POD.to_owned(),
        revision: "dca264ff73",
        cluster: "m1",
    };
    comparison.source.selectors(&builtins)
}

pub(super) fn arm(comparison: &Comparison, labels: &BTreeMap<String, String>) -> Option<Arm> {
    let (label, canary, stable) = match &comparison.reading.split {
        Split::Pod { label } => (label, CANARY_POD, STABLE_POD),
        Split::Label { name, canary, stable } => (name, canary.as_str(), stable.as_str()),
    };
    reading::arm_named(labels.get(label)?, canary, stable)
}

#[test]
fn every_selector_finds_both_arms_and_nothing_else() {
    assert!(Builtin::names().eq(PAGES.map(|page| page.0)), "each template has a page");
    for (name, args, page, _) in PAGES {
        for metric in resolved(name, args).metrics {
            let comparison = metric.comparison().expect("a comparison");
            for (place, selector) in selectors(comparison).iter().enumerate() {
                let what = format!("{name}/{}: {selector}", metric.name);
                let found = select(selector, page);
                let arms: Vec<_> =
                    found.iter().map(|(labels, _)| arm(comparison, labels)).collect();
                assert!(!arms.contains(&None), "{what} also finds strangers: {found:?}");
                assert!(arms.contains(&Some(Arm::Canary)), "{what} finds no canary");
                // Counters of bad events may be absent: place 0 where there are two.
                let may_lack = place == 0 && matches!(comparison.source, Source::Counters { .. });
                assert!(may_lack || arms.contains(&Some(Arm::Stable)), "{what} finds no stable");
            }
        }
    }
}

#[test]
fn errors_are_counted_as_the_page_says() {
    for (name, args, page, expect) in PAGES {
        let template = resolved(name, args);
        let errors = template.metrics.iter().find(|metric| metric.name == "errors").expect(name);
        let comparison = errors.comparison().expect("a comparison");
        let sums = selectors(comparison).into_iter().map(|selector| {
            let found = select(&selector, page);
            [Arm::Canary, Arm::Stable].map(|wanted| {
                let of_arm =
                    found.iter().filter(|(labels, _)| arm(comparison, labels) == Some(wanted));
                of_arm.map(|(_, value)| value).sum::<f64>()
            })
        });
        let sums: Vec<_> = sums.collect();
        let [bad, all] = sums.as_slice() else { panic!("{name}: two selectors") };
        let found = [(bad[0], all[0]), (bad[1], all[1])];
        assert!(found == expect, "{name}: {found:?}, not {expect:?}");
    }
}

/// The page as if every scrape until now had added to the counters what it shows. Whole numbers:
/// rounded ones would make a histogram's counts fall between two of its bounds.
fn history(selector: &str, page: &str, now: DateTime<Utc>) -> Answer {
    let rise = |value: f64| {
        let at =
            |n: i32| Sample { at: now - INTERVAL * (SCRAPES - n), value: value * f64::from(n) };
        (0..=SCRAPES).map(at).collect()
    };
    let series = select(selector, page).into_iter().map(|(labels, value)| RawSeries {
        labels,
        floats: rise(value),
        histograms: Vec::new(),
    });
    Answer { evaluated_at: now, range: INTERVAL * (SCRAPES + 1), series: series.collect() }
}

#[test]
fn pages_become_windows_of_both_arms() {
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let long_ago = now - TimeDelta::hours(1);
    let facts = |arm| PodFacts {
        created_at: Some(long_ago),
        first_traffic: Some(long_ago),
        ready_since: Some(long_ago),
        ..PodFacts::of(arm)
    };
    let pods: Pods =
        [(Arc::from(CANARY_POD), facts(Arm::Canary)), (Arc::from(STABLE_POD), facts(Arm::Stable))]
            .into();
    for (name, args, page, _) in PAGES {
        for metric in resolved(name, args).metrics {
            let comparison = metric.comparison().expect("a comparison");
            let mut answers: Vec<_> =
                selectors(comparison).iter().map(|text| history(text, page, now)).collect();
            let last = answers.pop().expect("an answer");
            let answers = match answers.pop() {
                Some(bad) => Answers::Counters { bad, total: last },
                None => Answers::Histogram(last),
            };
            let read = reading::read(
                &Cursor::default(),
                &reading::Round {
                    settings: &comparison.reading,
                    pods: &pods,
                    answers: &answers,
                    since: now - INTERVAL * SCRAPES,
                    skew: TimeDelta::zero(),
                },
            );
            let what = format!("{name}/{}: {:?}, {:?}", metric.name, read.gap, read.notes);
            assert!(read.windows.len() > 3, "{what}: {} windows", read.windows.len());
            for window in &read.windows {
                let (canary, stable) = window.window.arms();
                assert!(canary.events > 0 && stable.events > 0, "{what}: {window:?}");
            }
        }
    }
}

#[test]
fn names_of_older_releases_of_traefik_are_found_too() {
    // Namespace, Service, `http` and port: up to 3.6.24 and 3.7.5.
    let older = |line: &str| {
        let (head, rest) = line.split_once("httproute-")?;
        let (_, rest) = rest.split_once("-svc-")?;
        let (service, rest) = rest.split_once("@kubernetesgateway")?;
        let (service, _) = service.rsplit_once('-')?;
        Some(format!("{head}{service}-http-80@kubernetesgateway{rest}\n"))
    };
    let lines = include_str!("scrapes/traefik.txt").lines();
    let page: String = lines.filter(|line| line.contains("-ep-web-")).filter_map(older).collect();
    assert!(page.contains(r#"service="shop-checkout-stable-http-80@kubernetesgateway""#));
    for metric in resolved("traefik", &[]).metrics {
        let comparison = metric.comparison().expect("a comparison");
        for selector in selectors(comparison) {
            let found = select(&selector, &page);
            let of = |wanted| {
                found.iter().filter(|(labels, _)| arm(comparison, labels) == Some(wanted)).count()
            };
            assert!(of(Arm::Canary) > 0 && of(Arm::Stable) > 0, "{selector}: {found:?}");
            assert_eq!(of(Arm::Canary) + of(Arm::Stable), found.len(), "{selector}");
        }
    }
}
