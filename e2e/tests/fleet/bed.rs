//! The fleet that all tests share, and what every test does with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use lockflight_crds::{Rollout, names};
use lockflight_e2e::demo;
use lockflight_e2e::fleet::{Fleet, built_beside};
use lockflight_e2e::hub_process::HubProcess;
use lockflight_e2e::service::{DemoService, Release, Settings};
use lockflight_e2e::{apply, process};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Story;
use crate::stall::Stalls;

/// A step that does not depend on load or bakes: more than ten times what it takes.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// A whole release through the fleet: three times what it takes on a busy machine, for each step
/// has to count eight windows.
pub(crate) const RELEASE: Duration = Duration::from_mins(4);
/// Load on each member, requests per second.
pub(crate) const RPS: u32 = 50;
const LOG_LINES: usize = 60;
/// What pods of the image `shell` run.
const SHELL: &str = "/bin/sh";
/// A whole test: more than the sum of what it waits for.
const STORY: Duration = Duration::from_secs(400);

/// The fleet with its hub controller.
pub(crate) struct Bed {
    /// Hub and members.
    pub(crate) fleet: Fleet,
    /// The hub controller.
    pub(crate) hub: HubProcess,
    /// Whether all tests are played, and not only some of them.
    pub(crate) whole: bool,
    /// Namespaces of the running test.
    namespaces: Mutex<Vec<String>>,
}

/// The bed, made by the first test that is played.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    whole: bool,
    runtime: Runtime,
    bed: Mutex<Option<Bed>>,
}

impl Shared {
    pub(crate) fn new(whole: bool) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self(Arc::new(Inner { whole, runtime, bed: Mutex::new(None) })))
    }

    /// Plays one test. On failure the text has the state of its Rollouts and the hub's log.
    pub(crate) fn play(&self, name: &str, story: Story) -> Result<(), String> {
        let mut bed = self.0.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.runtime.block_on(async {
            if bed.is_none() {
                *bed = Some(Bed::start(self.0.whole).await.map_err(|error| format!("{error:#}"))?);
            }
            let Some(bed) = bed.as_ref() else {
                return Ok(());
            };
            let begun = Instant::now();
            let stalls = Stalls::measure();
            let played = match tokio::time::timeout(STORY, story(bed)).await {
                Ok(played) => played,
                Err(_) => Err(anyhow::anyhow!("not at its end after {STORY:?}")),
            };
            let outcome = match played {
                Ok(()) => Ok(()),
                Err(error) => {
                    let state = bed.describe().await;
                    let stall = stalls.longest();
                    Err(format!("{error:#}\nlongest stall of the machine: {stall:?}\n{state}"))
                }
            };
            bed.clear().await;
            let seconds = begun.elapsed().as_secs_f64();
            let first = outcome.as_ref().err().and_then(|error: &String| error.lines().next());
            eprintln!("        {name}: {seconds:.1} s {}", first.unwrap_or_default());
            outcome
        })
    }

    /// Ends the fleet, if there is one.
    pub(crate) fn stop(&self) {
        let bed = self.0.bed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bed) = bed {
            let stopped = self.0.runtime.block_on(async {
                bed.hub.stop().await?;
                bed.fleet.stop().await
            });
            if let Err(error) = stopped {
                eprintln!("stopping the fleet: {error:#}");
            }
        }
    }
}

impl Bed {
    async fn start(whole: bool) -> anyhow::Result<Self> {
        let program = built_beside("lockflight").context(
            "the hub controller is not built: run `cargo build -p lockflight` before this test",
        )?;
        built_beside("lockflight-demo-app").context(
            "the demo application is not built: run `cargo build -p lockflight-e2e` before this test",
        )?;
        let begun = Instant::now();
        let fleet = Fleet::builder().program("shell", SHELL.into()).start().await?;
        fleet.register_members().await?;
        let env = vec![("LOCKFLIGHT_LOG".to_owned(), "info".to_owned())];
        let hub = fleet.whole_hub_process(&program, env).await?;
        hub.start().await?;
        hub.wait_ready().await?;
        eprintln!("        fleet started in {:.1} s", begun.elapsed().as_secs_f64());
        Ok(Self { fleet, hub, whole, namespaces: Mutex::default() })
    }

    /// A service in a fresh namespace.
    pub(crate) async fn service(
        &self,
        name: &str,
        settings: Settings,
    ) -> anyhow::Result<DemoService> {
        self.remember(name);
        DemoService::create(&self.fleet, name, "shop", settings).await
    }

    /// The service of the demo, in the demo's namespace.
    pub(crate) async fn checkout(&self, settings: Settings) -> anyhow::Result<DemoService> {
        self.remember(demo::NAMESPACE);
        DemoService::create(&self.fleet, demo::NAMESPACE, demo::SERVICE, settings).await
    }

    fn remember(&self, namespace: &str) {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.push(namespace.to_owned());
    }

    /// A service whose first release `v1` serves everywhere.
    pub(crate) async fn running(
        &self,
        name: &str,
        settings: Settings,
    ) -> anyhow::Result<DemoService> {
        let service = self.service(name, settings).await?;
        establish(&service).await?;
        Ok(service)
    }

    /// The same with this `AnalysisTemplate` in its namespace.
    pub(crate) async fn running_with(
        &self,
        name: &str,
        settings: Settings,
        template: &Value,
    ) -> anyhow::Result<DemoService> {
        let service = self.service(name, settings).await?;
        apply::apply(&self.fleet.hub.client(), template).await?;
        establish(&service).await?;
        Ok(service)
    }

    fn namespaces(&self) -> Vec<String> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn describe(&self) -> String {
        let mut text = String::new();
        for namespace in self.namespaces() {
            let api: Api<Rollout> = Api::namespaced(self.fleet.hub.client(), &namespace);
            let Ok(list) = api.list(&ListParams::default()).await else {
                continue;
            };
            for rollout in list {
                let status = serde_json::to_string_pretty(&rollout.status).unwrap_or_default();
                let name = rollout.metadata.name.unwrap_or_default();
                text = format!("{text}--- Rollout {namespace}/{name}\n{status}\n");
            }
        }
        let log = std::fs::read_to_string(self.hub.log()).unwrap_or_default();
        text + "--- hub log\n" + &process::tail(&log, LOG_LINES)
    }

    /// Removes what the test left, so that it costs the next one nothing.
    async fn clear(&self) {
        let namespaces =
            std::mem::take(&mut *self.namespaces.lock().unwrap_or_else(PoisonError::into_inner));
        for namespace in namespaces {
            if let Err(error) = self.clear_namespace(&namespace).await {
                eprintln!("clearing {namespace}: {error:#}");
            }
        }
    }

    async fn clear_namespace(&self, namespace: &str) -> anyhow::Result<()> {
        let api: Api<Rollout> = Api::namespaced(self.fleet.hub.client(), namespace);
        for rollout in api.list(&ListParams::default()).await? {
            let name = rollout.metadata.name.unwrap_or_default();
            let give_up = serde_json::json!({ "metadata": {
                "annotations": { names::FORCE_DELETE_ANNOTATION: "true" },
            }});
            api.patch(&name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(give_up))
                .await?;
            api.delete(&name, &DeleteParams::default()).await?;
        }
        for member in &self.fleet.members {
            let api: Api<Deployment> = Api::namespaced(member.cluster.client(), namespace);
            api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
        }
        Ok(())
    }
}

async fn establish(service: &DemoService) -> anyhow::Result<()> {
    let established = service.establish(&Release::new("v1"), SOON).await;
    established.context("the first deployment").map(drop)
}

/// Now, by the clock that the API servers' audit logs use.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
