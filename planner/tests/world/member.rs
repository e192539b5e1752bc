//! One member in memory: two Services, a route, Deployments, and a gateway that lags behind.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_planner::{Action, PodFacts, Revision, Role, RunFacts};

use super::REPLICAS;

#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    pub(crate) selects: Option<Revision>,
    pub(crate) endpoints: BTreeMap<Revision, u32>,
    /// What the gateway knows: the endpoints of one tick ago.
    pub(super) plane: BTreeMap<Revision, u32>,
    pub(super) attempt: i64,
    pub(super) aborted: Option<Revision>,
    pub(super) version: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) replicas: u32,
    pub(crate) ready: u32,
    /// Pods of this revision never get ready.
    pub(crate) broken: bool,
    /// Pods that have crashed; as many others as there are replicas have not.
    pub(crate) crashed: Vec<PodFacts>,
    pub(super) created_at: DateTime<Utc>,
}

impl Deployment {
    pub(super) fn pods(&self) -> Vec<PodFacts> {
        let sound = PodFacts {
            created_at: self.created_at,
            restarts: 0,
            last_run: None,
            backing_off: false,
        };
        let all = self.crashed.iter().cloned().chain(std::iter::repeat(sound));
        all.take(usize::try_from(self.replicas).unwrap()).collect()
    }

    /// A container of one of the pods ends now, after a run of so long.
    pub(crate) fn crash(&mut self, place: usize, ran: TimeDelta, now: DateTime<Utc>) {
        let sound = self.pods();
        while self.crashed.len() <= place {
            let Some(pod) = sound.get(self.crashed.len()) else { return };
            self.crashed.push(pod.clone());
        }
        let pod = &mut self.crashed[place];
        pod.restarts += 1;
        pod.last_run = Some(RunFacts {
            started_at: now - ran,
            ended_at: now,
            end: "container app: Error, exit code 1".to_owned(),
        });
    }
}

/// One member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) stable: Option<Service>,
    pub(crate) canary: Option<Service>,
    pub(crate) deployments: BTreeMap<Revision, Deployment>,
    pub(crate) weight: u8,
    /// The weight that the gateway has in force.
    pub(crate) plane_weight: u8,
    pub(super) acknowledged: bool,
    pub(super) route_version: u64,
    pub(crate) reachable: bool,
    /// The route refuses every write.
    pub(crate) route_locked: bool,
    /// Revisions whose metrics fail here.
    pub(crate) bad: BTreeSet<Revision>,
    /// Revisions whose pods never get ready here.
    pub(crate) broken: BTreeSet<Revision>,
    /// Writes accepted, in order.
    pub(crate) log: Vec<Action>,
    pub(crate) manager: Option<String>,
}

impl Member {
    pub(crate) fn versions(&self) -> [u64; 3] {
        let version = |service: &Option<Service>| service.as_ref().map_or(0, |s| s.version);
        [version(&self.stable), version(&self.canary), self.route_version]
    }

    pub(super) fn apply(
        &mut self,
        action: &Action,
        planned: [u64; 3],
        attempt: i64,
        now: DateTime<Utc>,
    ) {
        let current = self.versions();
        match action {
            Action::CreateDeployment { revision, replicas } => {
                let broken = self.broken.contains(revision);
                self.deployments.entry(revision.clone()).or_insert(Deployment {
                    replicas: *replicas,
                    ready: 0,
                    broken,
                    crashed: Vec::new(),
                    created_at: now,
                });
            }
            Action::Scale { revision, replicas } => {
                if let Some(deployment) = self.deployments.get_mut(revision) {
                    deployment.replicas = *replicas;
                }
            }
            Action::DeleteDeployment { revision } => {
                self.deployments.remove(revision);
            }
            Action::PointService { role, revision, aborted } => {
                let (slot, index) = match role {
                    Role::Stable => (&mut self.stable, 0),
                    Role::Canary => (&mut self.canary, 1),
                };
                if current[index] != planned[index] {
                    return;
                }
                let service = slot.get_or_insert_with(Service::default);
                service.selects = Some(revision.clone());
                service.aborted.clone_from(aborted);
                service.attempt = attempt;
                service.version += 1;
            }
            Action::SetWeight { percent, .. } => {
                if current[2] != planned[2] || self.route_locked {
                    return;
                }
                self.set_weight(*percent);
            }
        }
        self.log.push(action.clone());
    }

    /// Somebody lets both Services select a revision.
    pub(crate) fn point_services(&mut self, revision: &Revision) {
        for service in [&mut self.stable, &mut self.canary].into_iter().flatten() {
            service.selects = Some(revision.clone());
            service.version += 1;
        }
    }

    /// Somebody writes the weight.
    pub(crate) fn set_weight(&mut self, percent: u8) {
        self.weight = percent;
        self.acknowledged = false;
        self.route_version += 1;
    }

    pub(super) fn tick(&mut self) {
        for deployment in self.deployments.values_mut() {
            let limit = if deployment.broken { 0 } else { deployment.replicas };
            deployment.ready = (deployment.ready + 1).min(limit);
        }
        for service in [&mut self.stable, &mut self.canary].into_iter().flatten() {
            service.plane = std::mem::take(&mut service.endpoints);
            if let Some(revision) = &service.selects
                && let Some(deployment) = self.deployments.get(revision).filter(|d| d.ready > 0)
            {
                service.endpoints.insert(revision.clone(), deployment.ready);
            }
        }
        self.plane_weight = self.weight;
        self.acknowledged = true;
    }

    /// Whether any backend that has a share has no pod that answers.
    pub(super) fn lost(&self) -> u64 {
        let shares = [(&self.stable, 100 - self.plane_weight), (&self.canary, self.plane_weight)];
        let unanswered = shares.into_iter().filter(|(service, share)| {
            let Some(service) = service else { return false };
            let served = service.plane.keys().any(|revision| {
                self.deployments.get(revision).is_some_and(|deployment| deployment.ready > 0)
            });
            *share > 0 && service.version > 0 && !service.plane.is_empty() && !served
                || *share > 0 && self.was_serving() && service.plane.is_empty()
        });
        u64::try_from(unanswered.count()).unwrap()
    }

    /// Whether anything serves here at all: a first deployment loses nothing.
    fn was_serving(&self) -> bool {
        self.stable.as_ref().is_some_and(|service| !service.plane.is_empty())
            || self.deployments.values().any(|d| d.ready == REPLICAS)
                && self.stable.as_ref().is_some_and(|s| s.version > 1)
    }

    /// The share of a revision in force at the gateway.
    pub(crate) fn share(&self, revision: &Revision) -> u32 {
        [(&self.stable, 100 - self.plane_weight), (&self.canary, self.plane_weight)]
            .into_iter()
            .filter(|(service, _)| {
                service.as_ref().is_some_and(|service| service.plane.contains_key(revision))
            })
            .map(|(_, share)| u32::from(share))
            .sum()
    }
}
