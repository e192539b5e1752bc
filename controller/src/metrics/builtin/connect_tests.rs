//! A canary that the gateway cannot connect to: its own metrics have no sample of that.

use lockflight_analysis::judge::{Arm, ArmCounts, Catastrophe};

use super::scrape_tests::{arm, resolved, select, selectors};

/// Pages of Envoy, and the canary's requests on each.
const PAGES: [(&str, &str, u64); 2] = [
    ("refused", include_str!("scrapes/contour-refused.txt"), 45),
    ("no endpoints", include_str!("scrapes/contour-empty.txt"), 50),
];

/// What a metric of `builtin:contour` counts on a page, of the canary and of stable.
fn counts(metric: &str, page: &str) -> (ArmCounts, ArmCounts) {
    let template = resolved("contour", &[]);
    let metric = template.metrics.iter().find(|found| found.name == metric).unwrap();
    let comparison = metric.comparison().unwrap();
    let sum = |selector: &str, wanted: Arm| {
        let found = select(selector, page);
        let of_arm = found.iter().filter(|(labels, _)| arm(comparison, labels) == Some(wanted));
        of_arm.map(|(_, value)| value.to_string().parse::<u64>().unwrap()).sum()
    };
    let selectors = selectors(comparison);
    let [bad, events] = selectors.as_slice() else { panic!("two selectors") };
    let of = |wanted| ArmCounts { bad: sum(bad, wanted), events: sum(events, wanted) };
    (of(Arm::Canary), of(Arm::Stable))
}

#[test]
fn requests_that_the_gateway_cannot_deliver_are_errors_of_the_canary() {
    for (what, page, requests) in PAGES {
        let (canary, stable) = counts("errors", page);
        assert_eq!((canary.bad, canary.events), (requests, requests), "{what}");
        assert_eq!(stable.bad, 0, "{what}");
        assert_eq!(Catastrophe::look(canary, stable), Catastrophe::Canary, "{what}");
        assert_eq!(Catastrophe::look(canary, canary), Catastrophe::Both, "{what} by both");
    }
}

#[test]
fn refused_connections_have_a_metric_of_their_own() {
    for ((what, page, _), failed) in PAGES.into_iter().zip([45, 0]) {
        let (canary, stable) = counts("connect-failures", page);
        assert_eq!((canary.bad, stable.bad), (failed, 0), "{what}");
    }
}
