//! Where the dashboard reads: caches that watches keep, never a request of its own.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Event;
use lockflight_crds::{AnalysisTemplate, Cluster, MetricProvider, Rollout};

use super::evidence::EvidenceFeed;
use crate::{hub::Hub, shelf::Shelf};

/// What the dashboard reads.
#[derive(Clone)]
pub struct Source {
    /// Rollouts.
    pub rollouts: Arc<Shelf<Rollout>>,
    /// Members.
    pub clusters: Arc<Shelf<Cluster>>,
    /// Templates of metrics; never synced where they may not be read.
    pub templates: Arc<Shelf<AnalysisTemplate>>,
    /// Sources of measurements; never synced where they may not be read.
    pub providers: Arc<Shelf<MetricProvider>>,
    /// Events about Rollouts; never synced where they may not be read.
    pub events: Arc<Shelf<Event>>,
    /// What the gates have seen.
    pub evidence: Arc<EvidenceFeed>,
    /// Whether the API server behind the caches answers.
    pub live: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What is looked at, for the page's head; for example the address of the API server.
    pub hub: String,
}

impl Source {
    /// The objects that a plan follows from, as code that plans takes them.
    pub(super) fn objects(&self) -> Hub {
        Hub {
            rollouts: Arc::clone(&self.rollouts),
            clusters: Arc::clone(&self.clusters),
            templates: Arc::clone(&self.templates),
            providers: Arc::clone(&self.providers),
            ..Hub::default()
        }
    }
}
