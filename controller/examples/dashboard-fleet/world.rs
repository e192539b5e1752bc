//! The objects of the fleet.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Event;
use lockflight::shelf::{Key, Shelf};
use lockflight_crds::{AnalysisTemplate, Cluster, MetricProvider, Rollout};
use serde_json::json;

use crate::scenes;

/// Everything that there is.
pub(crate) struct World {
    pub(crate) rollouts: Arc<Shelf<Rollout>>,
    pub(crate) clusters: Arc<Shelf<Cluster>>,
    pub(crate) templates: Arc<Shelf<AnalysisTemplate>>,
    pub(crate) providers: Arc<Shelf<MetricProvider>>,
    events: Arc<Shelf<Event>>,
    version: AtomicU64,
    answers: AtomicBool,
}

/// Regions that clusters are named after.
const REGIONS: [&str; 6] = ["eu-west", "us-east", "us-west", "ap-south", "eu-north", "sa-east"];

/// Name of a cluster by its number.
pub(crate) fn cluster_name(number: usize) -> String {
    format!("{}-{}", REGIONS[number % REGIONS.len()], number / REGIONS.len() + 1)
}

impl World {
    pub(crate) fn new(
        rollouts: usize,
        clusters: usize,
        events: Arc<Shelf<Event>>,
    ) -> serde_json::Result<Self> {
        let world = Self {
            rollouts: Arc::default(),
            clusters: Arc::default(),
            templates: Arc::default(),
            providers: Arc::default(),
            events,
            version: AtomicU64::new(1),
            answers: AtomicBool::new(true),
        };
        world.clusters.replace((0..clusters).map(cluster).collect::<Result<_, _>>()?);
        let teams = (0..scenes::TEAMS).map(scenes::team);
        let templates = teams.chain(["shop".to_owned()]).map(|namespace| template(&namespace));
        world.templates.replace(templates.collect::<Result<_, _>>()?);
        world.providers.replace(vec![provider()?]);
        let names: Vec<String> = (0..clusters).map(cluster_name).collect();
        world.rollouts.replace(scenes::all(&names, rollouts)?);
        world.events.replace(Vec::new());
        let events = scenes::events();
        for (position, (rollout, warning, reason, note)) in events.iter().enumerate() {
            let minutes = i64::try_from(events.len() - position).unwrap_or(0) * 4;
            world.tell(rollout, *warning, reason, note, Utc::now() - TimeDelta::minutes(minutes));
        }
        Ok(world)
    }

    /// Whether its API server answers.
    pub(crate) fn answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    /// Makes its API server fall silent, or come back.
    pub(crate) fn set_answers(&self, answers: bool) {
        self.answers.store(answers, Ordering::Relaxed);
    }

    fn next_version(&self) -> String {
        (1_000 + self.version.fetch_add(1, Ordering::Relaxed)).to_string()
    }

    /// Changes a Rollout, as a write of the hub would.
    pub(crate) fn change(&self, key: &Key, change: impl FnOnce(&mut Rollout)) -> Option<Rollout> {
        let mut rollout = self.rollouts.get(key)?.as_ref().clone();
        change(&mut rollout);
        rollout.metadata.resource_version = Some(self.next_version());
        self.rollouts.put(rollout.clone());
        Some(rollout)
    }

    /// An Event about a Rollout of the scenes.
    pub(crate) fn tell(
        &self,
        rollout: &str,
        warning: bool,
        reason: &str,
        note: &str,
        at: DateTime<Utc>,
    ) {
        let version = self.next_version();
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": format!("{rollout}.{version}"), "namespace": "shop",
                         "resourceVersion": version},
            "involvedObject": {"kind": "Rollout", "namespace": "shop", "name": rollout},
            "type": if warning { "Warning" } else { "Normal" },
            "reason": reason, "message": note,
            "eventTime": at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        });
        match serde_json::from_value(event) {
            Ok(event) => self.events.put(event),
            Err(error) => eprintln!("an Event is malformed: {error}"),
        }
    }
}

/// What gates the Rollouts of a namespace.
fn template(namespace: &str) -> serde_json::Result<AnalysisTemplate> {
    serde_json::from_value(json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "golden-signals", "namespace": namespace, "resourceVersion": "1"},
        "spec": {"metrics": [
            {"name": "errors", "compare": {"bad": "http_errors_total", "total": "http_requests_total",
                                           "by": {"pod": {}}}},
            {"name": "latency", "severity": "Normal",
             "compare": {"histogram": "http_request_duration_seconds", "by": {"pod": {}}}},
        ]},
    }))
}

/// What the clusters name; nothing is asked of it.
fn provider() -> serde_json::Result<MetricProvider> {
    serde_json::from_value(json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "MetricProvider",
        "metadata": {"name": "prometheus", "resourceVersion": "1"},
        "spec": {"prometheus": {"address": "https://prometheus.example.internal"}},
    }))
}

fn cluster(number: usize) -> serde_json::Result<Cluster> {
    let name = cluster_name(number);
    let region = REGIONS[number % REGIONS.len()];
    let (ready, reason, message) = match number {
        4 => ("False", "Unreachable", "unknown since 02:58:11 UTC: no answer within 2 s"),
        7 => (
            "False",
            "InvalidCredentials",
            "Secret us-east-2: token is missing; the keys must be ca.crt and token",
        ),
        _ => ("True", "Reachable", "the API server answers"),
    };
    let object = json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "Cluster",
        "metadata": {"name": name, "resourceVersion": "1",
                     "labels": {"region": region, "tier": "prod"}},
        "spec": {"server": format!("https://{name}.example.internal:6443"),
                 "credentials": {"secretName": name},
                 "metrics": {"provider": "prometheus"}, "allowedNamespaces": ["shop", "team-00", "team-01", "team-02", "team-03"]},
        "status": {"kubernetesVersion": if number % 5 == 3 { "v1.36.4" } else { "v1.37.2" },
            "conditions": [{"type": "Ready", "status": ready, "reason": reason,
                "message": message, "lastTransitionTime": scenes::ago(4_000)}]},
    });
    serde_json::from_value(object)
}
