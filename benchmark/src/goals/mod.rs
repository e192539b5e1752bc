//! The goals, each with what it measures.

mod cost;
mod detection;
mod false_aborts;
mod harm;
mod healthy;
mod misses;
mod outage;
pub mod peers;
pub mod tuned;
mod wald;

use crate::{
    ours::{Rules, Trial},
    report::Line,
    runs,
    scenario::Scenario,
};

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// About two minutes on two cores: whether a bar is missed by more than noise.
    Short,
    /// As many runs as the bars ask for.
    Full,
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How much.
    pub depth: Depth,
    /// Threads.
    pub threads: usize,
    /// Seed of everything.
    pub seed: u64,
}

impl Settings {
    /// Runs of a scenario: the first number when short, the second when full.
    pub(crate) fn runs(&self, short: usize, full: usize) -> usize {
        match self.depth {
            Depth::Short => short,
            Depth::Full => full,
        }
    }

    /// A scenario under the usual rules, with its pasts.
    pub(crate) fn trial(&self, scenario: Scenario) -> Trial {
        Trial::new(scenario, Rules::default(), self.seed)
    }

    /// Runs so many, each with a key of its own, and the same key for the same number.
    pub(crate) fn each<T: Send>(&self, count: usize, run: impl Fn(&[u64]) -> T + Sync) -> Vec<T> {
        runs::each(count, self.threads, |number| run(&[self.seed, number as u64]))
    }
}

/// A goal.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Its name, G1 to G14.
    pub name: &'static str,
    /// Measures it.
    pub measure: fn(&Settings) -> Vec<Line>,
}

/// All goals that are measured here.
#[must_use]
pub fn all() -> Vec<Goal> {
    vec![
        Goal { name: "G1", measure: false_aborts::measure },
        Goal { name: "G2", measure: harm::measure },
        Goal { name: "G3", measure: wald::measure },
        Goal { name: "G4", measure: tuned::measure },
        Goal { name: "G5", measure: outage::measure },
        Goal { name: "G6", measure: misses::measure },
        Goal { name: "G7", measure: healthy::measure },
        Goal { name: "G8", measure: detection::measure },
        Goal { name: "G12", measure: cost::measure },
    ]
}
