//! What happens to a healthy service: the ways in which real errors are not Poisson.

mod families;
pub(crate) mod load;

pub use families::{Family, all, family};
pub use load::Shape;

/// The knobs of a family. Standard deviations are of logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Shape of the load over time.
    pub shape: Shape,
    /// Load of a cluster, around its shape (time constant 60 s).
    pub load_sd: f64,
    /// Bad share of both arms (time constant 180 s).
    pub shared_sd: f64,
    /// Outages of something that both arms depend on, per hour: 10 % errors, 2 min on average.
    pub outages_per_hour: f64,
    /// Such an outage over the first seconds of every cluster's steps.
    pub opening_outage_s: f64,
    /// Mean size of a batch of errors.
    pub batch_mean: f64,
    /// Bad share of a pod (time constant 60 s).
    pub pod_sd: f64,
    /// Bad share of a pod, for as long as it lives.
    pub lasting_sd: f64,
    /// Episodes of a pod, per hour: 10 % errors, 90 s on average.
    pub episodes_per_hour: f64,
    /// Factor of the bad share of a pod in its first minute.
    pub warm_up: f64,
}

impl Noise {
    /// Poisson errors at a constant rate; only the load moves, through the day.
    pub const IDEAL: Self = Self {
        shape: Shape::Diurnal,
        load_sd: 0.1,
        shared_sd: 0.0,
        outages_per_hour: 0.0,
        opening_outage_s: 0.0,
        batch_mean: 1.0,
        pod_sd: 0.0,
        lasting_sd: 0.0,
        episodes_per_hour: 0.0,
        warm_up: 1.0,
    };

    /// Everything that both arms share.
    pub const SHARED: Self = Self {
        shape: Shape::Bursts,
        load_sd: 0.2,
        shared_sd: 0.6,
        outages_per_hour: 0.05,
        ..Self::IDEAL
    };

    /// And errors in batches: variance four times the mean.
    pub const BATCHED: Self = Self { batch_mean: 2.5, ..Self::SHARED };

    /// And pods of their own mind.
    pub const ROUGH: Self =
        Self { pod_sd: 0.4, lasting_sd: 0.1, episodes_per_hour: 0.005, ..Self::BATCHED };

    /// And pods that begin badly.
    pub const WARM_UP: Self = Self { pod_sd: 0.2, warm_up: 5.0, ..Self::BATCHED };

    /// Twice as bad in everything; nothing may be tuned on it.
    pub const HELD_OUT: Self = Self {
        shape: Shape::Bursts,
        load_sd: 0.3,
        shared_sd: 1.0,
        outages_per_hour: 0.2,
        opening_outage_s: 0.0,
        batch_mean: 5.0,
        pod_sd: 0.8,
        lasting_sd: 0.1,
        episodes_per_hour: 0.02,
        warm_up: 2.0,
    };

    /// Pods that differ for as long as they live: against what the judge assumes.
    pub const STICKY: Self = Self { lasting_sd: 0.6, ..Self::ROUGH };
}
