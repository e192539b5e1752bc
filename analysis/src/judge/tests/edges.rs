//! Exact expectations of single windows at the edges of the nulls, by adding up every outcome.

use std::sync::Arc;

use crate::judge::batches::{generating, largest};
use crate::judge::cells::Cells;
use crate::judge::hypergeometric::Table;
use crate::judge::odds::log_odds_ratio;
use crate::judge::past::{Added, Past};
use crate::judge::ratios::Ratios;
use crate::judge::{Arm, ArmCounts, Cell, difference};

/// A window of m canary and S stable pods with this share of bad stable cells, the canary `ratio`
/// times worse, its pods with `load` times the load.
#[derive(Debug, Clone, Copy)]
struct Edge {
    canary: u32,
    stable: u32,
    load: f64,
    ratio: f64,
    share: f64,
    past_share: f64,
}

impl Edge {
    fn past(&self) -> Past {
        let mut past = Past::default();
        let cells = 1e5;
        let bad_cells = self.past_share * cells;
        let at = super::world::end_of(0);
        past.add(at, Added { cells, bad_cells, bad: bad_cells, events: cells * 100.0 });
        past
    }

    fn canary_share(&self) -> f64 {
        1.0 - (1.0 - self.share).powf(self.ratio * self.load)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "loads of a test")]
    fn cells(&self, canary_bad: u32, stable_bad: u32) -> Cells {
        let pod: Arc<str> = "p".into();
        let cell = |arm: Arm, bad: bool| Cell {
            arm,
            pod: pod.clone(),
            bad: u64::from(bad),
            events: if arm == Arm::Canary { (1e6 * self.load) as u64 } else { 1_000_000 },
        };
        let cells: Vec<Cell> = (0..self.canary)
            .map(|n| cell(Arm::Canary, n < canary_bad))
            .chain((0..self.stable).map(|n| cell(Arm::Stable, n < stable_bad)))
            .collect();
        Cells::count(&cells)
    }

    fn table(&self, canary_bad: u32, stable_bad: u32) -> Table {
        let (cells, canary) = (self.canary + self.stable, self.canary);
        Table { cells, canary, bad: canary_bad + stable_bad, canary_bad }
    }

    /// `E e` of what the outcomes give.
    fn mean(&self, log: impl Fn(u32, u32) -> f64) -> f64 {
        let mut mean = 0.0;
        for x in 0..=self.canary {
            for y in 0..=self.stable {
                let chance = chance(self.canary, x, self.canary_share())
                    * chance(self.stable, y, self.share);
                mean += chance * log(x, y).exp();
            }
        }
        mean
    }

    fn abort(&self) -> f64 {
        let (past, bets) = (self.past(), Ratios::beyond(1.25));
        let of = |ratios: &Ratios| self.mean(|x, y| self.cells(x, y).worse(&past, *ratios));
        bets.iter().map(of).fold(0.0, f64::max)
    }

    fn promote(&self) -> f64 {
        let past = self.past();
        self.mean(|x, y| self.cells(x, y).as_good(&past, 2.0))
    }
}

fn chance(n: u32, k: u32, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
    ways * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed())
}

const EDGE: Edge =
    Edge { canary: 2, stable: 8, load: 1.0, ratio: 1.25, share: 0.1, past_share: 0.1 };

#[test]
fn no_window_wins_on_average_at_the_edge_of_a_null() {
    for (canary, stable) in [(1, 1), (2, 1), (3, 1), (1, 19), (10, 4), (5, 15)] {
        for load in [0.0175, 0.2, 0.9, 1.0, 2.5, 19.0] {
            for share in [0.002, 0.05, 0.3, 0.8] {
                for past_share in [0.001, 0.1, 0.9] {
                    let of = |ratio| Edge { canary, stable, load, ratio, share, past_share };
                    let (abort, promote) = (of(1.25).abort(), of(2.0).promote());
                    assert!(abort <= 1.01, "abort {abort} {:?}", of(1.25));
                    // What the past cannot know yet costs a little; what it knows nothing.
                    let most = if past_share <= share { 1.0005 } else { 1.01 };
                    assert!(promote <= most, "promote {promote} {:?}", of(2.0));
                }
            }
        }
    }
}

#[test]
fn row_01_the_load_ratio_is_in_the_odds() {
    // 3 + 1 pods at 5 %: a canary pod has little to do, so few bad cells are no proof.
    let few = Edge { canary: 3, stable: 1, load: 0.0175, ratio: 2.0, share: 0.5, past_share: 0.5 };
    assert!(few.promote() <= 1.02);
    let uncorrected = |x, y| few.table(x, y).log_ratio(log_odds_ratio(2.0, 0.5), 0.0);
    assert!(few.mean(uncorrected) > 1.3, "{}", few.mean(uncorrected));
    // 1 + 9 pods at half of the requests: each has nine times a stable one's, and more bad cells.
    let many = Edge { load: 9.0, canary: 1, stable: 9, ..EDGE };
    assert!(many.abort() <= 1.02);
    let uncorrected =
        |x, y| many.table(x, y).log_ratio(log_odds_ratio(1.25, 0.1), log_odds_ratio(3.5, 0.1));
    assert!(many.mean(uncorrected) > 1.3, "{}", many.mean(uncorrected));
}

#[test]
fn row_03_the_promote_edge_holds_for_every_base_rate() {
    // A shared outage is just over: the past says 90 % of the cells, this window has 5 %.
    let after = Edge { ratio: 2.0, share: 0.05, past_share: 0.9, ..EDGE };
    assert!(after.promote() <= 1.01, "{}", after.promote());
    let uncorrected = |x, y| after.table(x, y).log_ratio(log_odds_ratio(2.0, 0.9), 0.0);
    assert!(after.mean(uncorrected) > 1.1, "{}", after.mean(uncorrected));
}

#[test]
fn row_04_the_abort_edge_follows_a_rising_base_rate() {
    let rising = Edge { share: 0.6, past_share: 0.001, canary: 5, ..EDGE };
    assert!(rising.abort() <= 1.005, "{}", rising.abort());
    let uncorrected = |x, y| {
        rising.table(x, y).log_ratio(log_odds_ratio(1.25, 0.001), log_odds_ratio(10.0, 0.001))
    };
    assert!(rising.mean(uncorrected) > 1.1, "{}", rising.mean(uncorrected));
}

/// `E e` of a difference bet on geometric batches, from its coefficients.
fn difference_mean(bet: [f64; 3], events: (f64, f64), shares: (f64, f64), batch_mean: f64) -> f64 {
    let [up, down, constant] = bet;
    let generating = |log: f64| generating(log.exp(), batch_mean);
    let of =
        |events: f64, share: f64, log: f64| events * share / batch_mean * (generating(log) - 1.0);
    (of(events.0, shares.0, up) + of(events.1, shares.1, down) + constant).exp()
}

#[test]
fn row_02_the_difference_is_tempered_twice() {
    let of = difference::Alternative { canary: 0.01, stable: 0.002 };
    let (d, b) = (0.000_5, 2.5);
    for (n_c, n_s) in
        [(50_u64, 950_u64), (500, 500), (900, 100), (10_000, 190_000), (1_000_000, 19_000_000)]
    {
        let ln = |k_c, k_s, b| {
            let counts = |bad, events| ArmCounts { bad, events };
            difference::log_ratio(of, d, (counts(k_c, n_c), counts(k_s, n_s)), b)
        };
        let bet = |b| {
            let none = ln(0, 0, b);
            [ln(1, 0, b) - none, ln(0, 1, b) - none, none]
        };
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let events = (n_c as f64, n_s as f64);
        for stable in [0.0, 0.000_1, 0.002, 0.05, 0.4] {
            let shares = (stable + d, stable);
            let mean = difference_mean(bet(b), events, shares, b);
            assert!(mean <= 1.0 + 1e-6, "{n_c} {n_s} {stable}: {mean}");
        }
        // The first condition alone, or none, lets batches win.
        let plain = difference_mean(bet(1.0), events, (0.002 + d, 0.002), b);
        assert!(plain > 1.0, "{n_c} {n_s}: {plain}");
        let [up, down, _] = bet(1.0);
        let eta = largest(|eta| {
            events.0 * (generating((eta * up).exp(), b) - 1.0)
                <= events.1 * (1.0 - generating((eta * down).exp(), b))
        });
        let once = difference_mean(bet(1.0).map(|log| eta * log), events, (d, 0.0), b);
        assert!(once > 1.0, "{n_c} {n_s}: {once}");
        assert!(n_c < 1_000_000 || once > 2.0, "the more events, the more: {once}");
    }
}

#[test]
fn row_02_no_bet_is_made_below_the_null() {
    // With so unequal loads the null lies beyond every odds ratio that is bet on.
    let edge = Edge { load: 20_000.0, ratio: 0.05, share: 1e-4, past_share: 1e-4, ..EDGE };
    assert!((edge.abort() - 1.0).abs() < 1e-12, "{}", edge.abort());
    // A bet that is clamped to the largest of them is one on a better canary, which then wins.
    let null = log_odds_ratio(1.25 * edge.load, edge.past_share);
    let clamped = null.min(7.9);
    assert!(clamped < null, "{null}");
    let uncorrected = |x, y| edge.table(x, y).log_ratio(null, clamped);
    assert!(edge.mean(uncorrected) > 1.02, "{}", edge.mean(uncorrected));
}

#[test]
fn row_08_a_cluster_that_has_not_started_counts_as_one() {
    // Two clusters; the second one starts only if the first has lost its first bet.
    for canary in [2, 5] {
        let edge = Edge { canary, ..EDGE };
        let past = edge.past();
        for ratios in Ratios::beyond(1.25) {
            let first = |x, y| edge.cells(x, y).worse(&past, ratios);
            let both = |log: f64| f64::midpoint(log.exp(), 1.0).ln();
            let planned = edge.mean(|x, y| both(first(x, y)));
            assert!(planned <= 1.001, "{planned}");
            let uncorrected = edge.mean(|x, y| {
                let log = first(x, y);
                if log < 0.0 { both(log) } else { log }
            });
            assert!(uncorrected > 1.03, "the mean over those that started: {uncorrected}");
        }
    }
}
