//! The families of noise on which a healthy rollout must not be taken back.

use super::Noise;
use crate::scenario::{Layout, Scenario, Traffic};

/// A scenario with a name; its release is as good as the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// Its name in the tables.
    pub name: &'static str,
    /// What is simulated.
    pub scenario: Scenario,
}

const fn named(name: &'static str, scenario: Scenario) -> Family {
    Family { name, scenario }
}

/// Rough noise on these pods at these weights.
const fn pods(noise: Noise, stable: usize, canary: usize, weights: [f64; 3]) -> Scenario {
    Scenario {
        layout: Layout::Beside { stable, canary },
        weights,
        ..Scenario::new(Traffic::A, noise)
    }
}

const STEPS: [f64; 3] = [0.05, 0.25, 0.5];
const LASTING: Noise = Noise { lasting_sd: 0.3, ..Noise::ROUGH };
const OPENING: Noise = Noise { opening_outage_s: 180.0, ..Noise::ROUGH };

/// All families: seven kinds of noise by traffic class, then what else real fleets are like.
#[must_use]
pub fn all() -> Vec<Family> {
    let kinds = [
        ("ideal", Noise::IDEAL),
        ("shared", Noise::SHARED),
        ("batched", Noise::BATCHED),
        ("rough", Noise::ROUGH),
        ("warmup", Noise::WARM_UP),
        ("heldout", Noise::HELD_OUT),
        ("sticky", Noise::STICKY),
    ];
    let rough = Scenario::new(Traffic::A, Noise::ROUGH);
    let base = kinds.into_iter().flat_map(|(name, noise)| {
        Traffic::ALL.map(|traffic| named(name, Scenario::new(traffic, noise)))
    });
    let more = [
        named("1+1 pods", pods(Noise::ROUGH, 1, 1, [0.5; 3])),
        named("2+1 pods", pods(Noise::ROUGH, 2, 1, [1.0 / 3.0; 3])),
        named("3+1 pods", pods(Noise::ROUGH, 3, 1, [0.25; 3])),
        named("3+1 at 5/25/50 %", pods(Noise::ROUGH, 3, 1, STEPS)),
        named("10+4 at 5/25/50 %", pods(Noise::ROUGH, 10, 4, STEPS)),
        named("10+4 at 50 %", pods(Noise::ROUGH, 10, 4, [0.5; 3])),
        named("pods differ 0.3", Scenario::new(Traffic::A, LASTING)),
        named("2+1, differ 0.3", pods(LASTING, 2, 1, [1.0 / 3.0; 3])),
        named("scraped at 60 s", Scenario { scrape_s: 60.0, ..rough }),
        named("no errors", Scenario::new(Traffic::QUIET, Noise::ROUGH)),
        named("opening outage", Scenario::new(Traffic::A, OPENING)),
        named("opening outage", Scenario::new(Traffic::D, OPENING)),
        named("sums only", Scenario { has_pods: false, ..rough }),
        named("sums only", Scenario { has_pods: false, ..Scenario::new(Traffic::B, Noise::ROUGH) }),
    ];
    base.chain(more).collect()
}

/// The first family of this name and traffic class.
#[must_use]
pub fn family(name: &str, traffic: Traffic) -> Option<Family> {
    all().into_iter().find(|family| family.name == name && family.scenario.traffic == traffic)
}
