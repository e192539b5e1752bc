//! An observer that asks every member's Prometheus what the gates ask, far more often than they:
//! it tells from which moment on they could have failed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use lockflight_crds::{MemberPhase, Rollout, names};
use lockflight_planner::SETTLE;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::gates::{Gate, Trial};
use crate::service::{DemoService, Place};

/// From one look to the next.
pub(super) const EVERY: Duration = Duration::from_millis(50);

/// By member and metric, when it was first seen to fail.
type Found = Arc<Mutex<BTreeMap<(String, String), DateTime<Utc>>>>;

/// Looks at every member until it is dropped.
pub(super) struct Observer {
    found: Found,
    // Dropping it ends the looking.
    _looks: JoinSet<()>,
}

impl Observer {
    /// Watches over the revision `canary`; `rollout` tells where and since when it is on trial.
    pub(super) fn start(
        service: &DemoService,
        gates: &[Gate],
        canary: &str,
        rollout: &watch::Receiver<Option<Rollout>>,
    ) -> Self {
        let found = Found::default();
        let mut looks = JoinSet::new();
        for place in service.places() {
            let look = Look {
                place: place.clone(),
                gates: gates.to_vec(),
                name: service.name().to_owned(),
                canary: canary.to_owned(),
                rollout: rollout.clone(),
            };
            looks.spawn(look.run(Arc::clone(&found)));
        }
        Self { found, _looks: looks }
    }

    /// When a metric in `member` was first bad enough to fail. A look that began then saw it.
    pub(super) fn first_bad(&self, member: &str, metric: &str) -> Option<DateTime<Utc>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(&(member.to_owned(), metric.to_owned())).copied()
    }
}

struct Look {
    place: Place,
    gates: Vec<Gate>,
    name: String,
    canary: String,
    rollout: watch::Receiver<Option<Rollout>>,
}

impl Look {
    async fn run(self, found: Found) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let Some(trial) = self.trial() else {
                continue;
            };
            let asked_at = Utc::now();
            let answers = self.gates.iter().map(|gate| gate.fails(&self.place, &trial));
            for (gate, fails) in self.gates.iter().zip(join_all(answers).await) {
                // What could not be asked now is asked again at the next tick.
                if matches!(fails, Ok(true)) {
                    let key = (self.place.name.clone(), gate.metric.clone());
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.entry(key).or_insert(asked_at);
                }
            }
        }
    }

    /// The trial under way in this member, once its evidence counts.
    fn trial(&self) -> Option<Trial> {
        let rollout = self.rollout.borrow();
        let status = rollout.as_ref()?.status.as_ref()?;
        status.attempt.as_ref().filter(|attempt| attempt.revision == self.canary)?;
        let member = status.members.iter().find(|member| member.name == self.place.name)?;
        let both_serve = member.phase == MemberPhase::Canary && (1..100).contains(&member.weight);
        let opened_at = member.acknowledged_at.filter(|_| both_serve)? + SETTLE;
        let stable = member.base.as_ref()?.revision.as_ref()?;
        let pods = |revision: &str| format!("{}-", names::deployment(&self.name, revision));
        (opened_at <= Utc::now()).then(|| Trial {
            opened_at,
            canary_pods: pods(&self.canary),
            stable_pods: pods(stable),
        })
    }
}
