//! Following the Rollout: every change goes to the timeline, the tree and whoever listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::watcher::watch_object;
use kubectl_lockflight::RolloutView;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::stage::Stage;
use super::timeline::{self, Versions};
use crate::service::{DemoService, ServiceLoad, ServiceReport};

/// After an interrupted watch.
const PAUSE: Duration = Duration::from_millis(200);
/// Times in the tree are shown in seconds.
const REDRAW: Duration = Duration::from_secs(1);

/// Watches the service's Rollout until it is dropped.
pub(super) struct Follower {
    versions: Arc<Mutex<Versions>>,
    load: Arc<Mutex<Option<ServiceLoad>>>,
    // Dropping it ends the watch.
    _tasks: JoinSet<()>,
}

impl Follower {
    pub(super) fn start(service: &DemoService, stage: &Arc<Stage>) -> Self {
        let versions = Arc::<Mutex<Versions>>::default();
        let load = Arc::<Mutex<Option<ServiceLoad>>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(service.clone(), Arc::clone(stage), Arc::clone(&versions)));
        if stage.is_live() {
            tasks.spawn(redraw(Arc::clone(stage), Arc::clone(&load)));
        }
        Self { versions, load, _tasks: tasks }
    }

    /// Makes a revision known by its version.
    pub(super) fn name(&self, revision: String, version: &str) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(revision, version.to_owned());
    }

    /// The load whose counts are shown from now on.
    pub(super) fn carry(&self, load: ServiceLoad) {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = Some(load);
    }

    /// The counts so far.
    pub(super) fn counts(&self) -> ServiceReport {
        let load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        load.as_ref().map(ServiceLoad::snapshot).unwrap_or_default()
    }

    /// Takes the load back.
    pub(super) fn put_down(&self) -> Option<ServiceLoad> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn follow(service: DemoService, stage: Arc<Stage>, versions: Arc<Mutex<Versions>>) {
    let mut before = lockflight_crds::RolloutStatus::default();
    let mut changes = std::pin::pin!(watch_object(service.api(), service.name()));
    while let Some(change) = changes.next().await {
        let Ok(change) = change else {
            sleep(PAUSE).await;
            continue;
        };
        let Some(rollout) = change else { continue };
        let now = rollout.status.clone().unwrap_or_default();
        let known = versions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for line in timeline::changes(&before, &now, &known) {
            stage.tell(&line.subject, &line.text);
        }
        before = now;
        stage.show(RolloutView::from(&rollout));
    }
}

/// Keeps the times in the tree and the counts below it up to date.
async fn redraw(stage: Arc<Stage>, load: Arc<Mutex<Option<ServiceLoad>>>) {
    let mut ticks = interval(REDRAW);
    loop {
        ticks.tick().await;
        let report = {
            let load = load.lock().unwrap_or_else(PoisonError::into_inner);
            load.as_ref().map(ServiceLoad::snapshot)
        };
        stage.set_footer(report.map_or_else(String::new, |report| counts(&report)));
    }
}

fn counts(report: &ServiceReport) -> String {
    let mut versions: Vec<_> =
        report.members.values().flat_map(|load| load.by_version.keys()).collect();
    versions.sort_unstable();
    versions.dedup();
    let answers = |version: &String| format!("{version}: {}", report.of_version(version));
    let answers: Vec<String> = versions.into_iter().map(answers).collect();
    let failed = report.failed();
    format!("answers  {}   lost or failed by a gateway: {failed}", answers.join("  "))
}
