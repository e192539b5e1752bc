//! G3: harm against what no sequential test can undercut on Poisson noise (Wald): information
//! adds up at `p N I(w, r)` per second, and `L` nats of it are needed. A window is the unit of time,
//! and what is not read (cold pods, what is before the watermark) is not counted for the bound either.

use super::Settings;
use crate::{
    noise::Noise,
    number::size,
    ours::{Reader, Rules, fixed},
    report::{Bar, Line, Unit},
    scenario::{CLUSTERS, Effect, Scenario, Traffic},
    statistics::Estimate,
    world::{PodCount, World},
};

/// Harm over the bound.
const BAR: f64 = 1.5;

/// Components of the mixture, its weight of "from the start", and the fleet's part.
const COMPONENTS: f64 = 6.0;
const FROM_THE_START: f64 = 0.7;
const TOGETHER: f64 = 0.75;

/// The tolerated ratio.
const TOLERATED: f64 = 1.25;

pub(super) fn measure(settings: &Settings) -> Vec<Line> {
    let runs = settings.runs(200, 1000);
    let measured = [2.0, 3.0, 5.0].into_iter().map(|ratio| {
        let scenario = Scenario::new(Traffic::A, Noise::IDEAL).with(Effect::times(ratio));
        let bound = bound(&scenario, Rules::default());
        let trial = settings.trial(scenario);
        let outcomes = settings.each(runs, |key| fixed::run(&trial, key, false));
        let mut harms: Vec<f64> = outcomes.iter().map(|outcome| outcome.harm / bound).collect();
        let found = Estimate::mean(&harms);
        harms.sort_by(f64::total_cmp);
        Line {
            goal: "G3",
            what: format!("harm over Wald's bound, A ideal, {ratio} x"),
            bar: Bar::AtMost(BAR),
            found,
            unit: Unit::Times,
            note: format!(
                "bound {bound:.0} bad requests; median {:.2} x",
                Estimate::median(&harms).value
            ),
        }
    });
    measured.collect()
}

/// Nats of one bad event of the pool at stable's rate.
fn information(weight: f64, ratio: f64) -> f64 {
    let null = TOLERATED * weight / (TOLERATED * weight + 1.0 - weight);
    let share = ratio * weight / (ratio * weight + 1.0 - weight);
    weight * ratio * (share / null).ln() + (1.0 - weight) * ((1.0 - share) / (1.0 - null)).ln()
}

/// Harm until the information along the fixed schedule is enough, for a test that reads what ours
/// reads: warm pods only, and everything behind the watermark.
fn bound(scenario: &Scenario, rules: Rules) -> f64 {
    let needed = -rules.false_abort.ln() + COMPONENTS.ln() - FROM_THE_START.ln() - TOGETHER.ln();
    let reader = Reader::new(scenario, rules, &[]);
    let mut world = World::new(*scenario, &[0]);
    let Scenario { traffic, scrape_s, effect, .. } = scenario;
    let (mut information_nats, mut harm, mut stop) = (0.0, 0.0, None);
    for window in 0..scenario.windows() {
        for cluster in 0..CLUSTERS {
            let weight = scenario.weight(cluster, window);
            if weight <= 0.0 {
                continue;
            }
            let bad = traffic.requests_per_s * traffic.share * scrape_s;
            harm += bad * weight * (effect.ratio - 1.0);
            // Which pods are warm is the same in every run.
            let pods = world.step(cluster, weight, 0.0).pods;
            let count = |is_counted: &dyn Fn(&PodCount) -> bool| {
                size(pods.iter().filter(|pod| is_counted(pod)).count())
            };
            let warm = count(&|pod| pod.is_canary && !reader.is_cold(pod));
            let canary = weight * warm / count(&|pod| pod.is_canary).max(1.0);
            if weight < 1.0 && canary > 0.0 {
                let pool = canary + 1.0 - weight;
                information_nats += bad * pool * information(canary / pool, effect.ratio);
            }
        }
        if stop.is_none() && information_nats >= needed {
            stop = Some(window + reader.delay());
        }
        if stop.is_some_and(|stop| window >= stop) {
            break;
        }
    }
    harm
}

#[cfg(test)]
mod tests {
    use super::information;

    #[test]
    fn information_of_the_planning_table() {
        let cases = [(0.05, 3.0, 0.04014), (0.05, 10.0, 0.51897), (0.25, 2.0, 0.03185)];
        for (weight, ratio, expect) in cases {
            assert!((information(weight, ratio) - expect).abs() < 1e-5, "{weight} {ratio}");
        }
    }
}
