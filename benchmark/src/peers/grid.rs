//! Settings: as people have them, and all those among which an oracle may choose.

use super::{
    Peer, argo::Absolute, argo::Ratio, flagger::Flagger, kayenta::Kayenta, poisson::Poisson,
};
use crate::scenario::Traffic;

/// A rule with its name in the tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Name.
    pub name: String,
    /// Rule.
    pub peer: Peer,
}

fn named(name: &str, peer: Peer) -> Named {
    Named { name: name.to_owned(), peer }
}

/// Rules as they are usually set.
#[must_use]
pub fn configured() -> Vec<Named> {
    let absolute = |threshold, failure_limit| {
        Peer::Absolute(Absolute { threshold, failure_limit, range_s: 60.0 })
    };
    let ratio = Ratio { multiple: 1.5, floor: 1e-4, failure_limit: 3, range_s: 300.0 };
    vec![
        named("Argo, errors <= 5 %, failureLimit 3", absolute(0.05, 3)),
        named("Argo, errors <= 1 %, failureLimit 3", absolute(0.01, 3)),
        named("Argo, errors <= 1 %, failureLimit 0", absolute(0.01, 0)),
        named("Argo, <= 1.5 x stable [5m], failureLimit 3", Peer::Ratio(ratio)),
        named(
            "Flagger, success >= 99 %, threshold 5",
            Peer::Flagger(Flagger { error_max: 0.01, threshold: 5 }),
        ),
        named("Kayenta, per step", Peer::Kayenta(Kayenta { confidence: 0.98, tolerance: 0.25 })),
        named("Poisson e-process per cluster, 1 %", poisson(100.0_f64.ln(), false)),
        named("Poisson e-process, pooled, 1 %", poisson(100.0_f64.ln(), true)),
    ]
}

/// Everything that an oracle may choose from, by tool.
#[must_use]
pub fn grids(traffic: Traffic) -> Vec<(&'static str, Vec<Named>)> {
    const LIMITS: [usize; 8] = [0, 1, 2, 3, 5, 8, 12, 20];
    let share = traffic.share;
    let mut absolute = Vec::new();
    for multiple in [1.5, 2.0, 3.0, 4.0, 6.0, 10.0] {
        for failure_limit in LIMITS {
            for range_s in [60.0, 300.0] {
                let rule = Absolute { threshold: multiple * share, failure_limit, range_s };
                let name = format!("{multiple} p0, limit {failure_limit}, [{range_s} s]");
                absolute.push(named(&name, Peer::Absolute(rule)));
            }
        }
    }
    let mut ratios = Vec::new();
    for multiple in [1.25, 1.5, 2.0, 3.0] {
        for failure_limit in LIMITS {
            for range_s in [60.0, 120.0, 300.0] {
                let rule = Ratio { multiple, floor: 1e-4, failure_limit, range_s };
                let name = format!("{multiple} x, limit {failure_limit}, [{range_s} s]");
                ratios.push(named(&name, Peer::Ratio(rule)));
            }
        }
    }
    let mut flagger = Vec::new();
    for multiple in [1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0] {
        for threshold in [3, 5, 10] {
            let rule = Flagger { error_max: multiple * share, threshold };
            flagger
                .push(named(&format!("{multiple} p0, threshold {threshold}"), Peer::Flagger(rule)));
        }
    }
    let mut kayenta = Vec::new();
    for (confidence, tolerance) in [(0.98, 0.25), (0.98, 0.1), (0.95, 0.25), (0.95, 0.1)] {
        let rule = Kayenta { confidence, tolerance };
        kayenta.push(named(
            &format!("confidence {confidence}, tolerance {tolerance}"),
            Peer::Kayenta(rule),
        ));
    }
    let poisson = |is_pooled| {
        let rule = move |step| {
            let exponent = f64::from(step) * 2.0;
            let peer = poisson(exponent * std::f64::consts::LN_10, is_pooled);
            named(&format!("alpha 1e-{exponent}"), peer)
        };
        (1..=13).map(rule).collect::<Vec<_>>()
    };
    vec![
        ("Argo absolute", absolute),
        ("Argo ratio", ratios),
        ("Flagger", flagger),
        ("Kayenta", kayenta),
        ("Poisson e-process", poisson(false)),
        (POOLED, poisson(true)),
    ]
}

/// The name of the one among them that is no tool.
pub const POOLED: &str = "pooled Poisson e-process";

fn poisson(bar_ln: f64, is_pooled: bool) -> Peer {
    Peer::Poisson(Poisson { bar_ln, is_pooled })
}
