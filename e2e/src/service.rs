//! A demo service on a fleet: everything that a team would have, so that a test or a
//! demonstration only has to say what happens to it.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use lockflight_e2e::{fleet::Fleet, service::{DemoService, Release, Settings}};
//! # async fn story(fleet: &Fleet) -> anyhow::Result<()> {
//! let service = DemoService::create(fleet, "shop", "checkout", Settings::default()).await?;
//! service.establish(&Release::new("v1"), Duration::from_secs(30)).await?;
//! let load = service.load(50)?;
//! service.release(&Release::new("v2").start_delay_ms(500)).await?;
//! service.completed(Duration::from_secs(60)).await?;
//! assert_eq!(load.stop().await.failed(), 0);
//! # Ok(())
//! # }
//! ```

mod faults;
mod load;
mod manifests;
mod settings;
mod watch;

use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use lockflight_crds::{AttemptPhase, Rollout, RolloutStatus, revision_of};
use serde_json::{Value, json};

pub use faults::Faulty;
pub use load::{ServiceLoad, ServiceReport};
pub use manifests::TEMPLATE;
pub use settings::{Release, Settings};

use crate::apply;
use crate::fleet::Fleet;
use crate::load::Shape;

/// Field manager of a user's commands and of direct changes to a route.
pub const USER: &str = "kubectl-annotate";

/// Field manager of the Rollout: that of `kubectl apply --server-side`. Who applies another
/// version by hand owns its fields alone.
const TEAM: &str = "kubectl";

/// A member as the service sees it.
#[derive(Clone)]
pub struct Place {
    /// `m1`, `m2`, …
    pub name: String,
    /// Its number, from 1.
    pub index: u8,
    /// The administrator's client.
    pub client: kube::Client,
}

/// A service in its own namespace of a fleet: its routes, metrics and Rollout.
#[derive(Clone)]
pub struct DemoService {
    name: String,
    namespace: String,
    hub: kube::Client,
    places: Vec<Place>,
    settings: Settings,
}

impl DemoService {
    /// Opts `namespace` in, registers the members, and makes the service's routes (in each
    /// member) and its [`TEMPLATE`] (in the hub). The Rollout comes with the first release.
    pub async fn create(
        fleet: &Fleet,
        namespace: &str,
        name: &str,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        fleet.opt_in(namespace).await?;
        fleet.register_members().await?;
        let places = fleet.members.iter().map(|member| Place {
            name: member.cluster.name().to_owned(),
            index: member.cluster.index(),
            client: member.cluster.client(),
        });
        let service = Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            hub: fleet.hub.client(),
            places: places.collect(),
            settings,
        };
        let template = manifests::template(namespace);
        apply::apply(&service.hub, &template).await?;
        try_join_all(service.places.iter().map(|place| service.create_route(place))).await?;
        Ok(service)
    }

    /// Makes the route in a member, weights 100 and 0, or puts it back as it was.
    pub async fn create_route(&self, place: &Place) -> anyhow::Result<()> {
        apply::apply(&place.client, &manifests::route(&self.namespace, &self.name)).await?;
        Ok(())
    }

    /// Name of the service and of its Rollout and routes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace, in the hub and in every member.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name that requests carry in their Host header.
    #[must_use]
    pub fn host(&self) -> String {
        manifests::host(&self.namespace, &self.name)
    }

    /// The members.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// One member.
    pub fn place(&self, member: &str) -> anyhow::Result<&Place> {
        let mut places = self.places.iter();
        places.find(|place| place.name == member).with_context(|| format!("no member {member}"))
    }

    /// How the service rolls out; used by the next [`Self::release`].
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The Rollouts of the service's namespace.
    #[must_use]
    pub fn api(&self) -> Api<Rollout> {
        Api::namespaced(self.hub.clone(), &self.namespace)
    }

    /// The Rollout that releases `release`.
    #[must_use]
    pub fn manifest(&self, release: &Release) -> Value {
        manifests::rollout(&self.namespace, &self.name, release, &self.settings)
    }

    /// Applies the Rollout with this release in it.
    pub async fn release(&self, release: &Release) -> anyhow::Result<Rollout> {
        self.apply(&self.manifest(release)).await
    }

    /// Brings the first release up without gates (before there are requests there is nothing to
    /// measure, and a gate would hold for ever), and leaves them on for the next one.
    pub async fn establish(
        &self,
        release: &Release,
        deadline: Duration,
    ) -> anyhow::Result<Rollout> {
        let unguarded = self.settings.clone().unguarded();
        let manifest = manifests::rollout(&self.namespace, &self.name, release, &unguarded);
        self.apply(&manifest).await?;
        self.completed(deadline).await?;
        self.release(release).await?;
        self.completed(deadline).await
    }

    /// Applies a manifest of the Rollout as it is.
    pub async fn apply(&self, manifest: &Value) -> anyhow::Result<Rollout> {
        // As kubectl does: what the schema does not know is an error, not left out in silence.
        let params = PatchParams::apply(TEAM).force().validation_strict();
        let applied = self.api().patch(&self.name, &params, &Patch::Apply(manifest)).await;
        applied.with_context(|| format!("applying the Rollout {}", self.name))
    }

    /// Sets an annotation on the Rollout: how commands are given.
    pub async fn annotate(&self, key: &str, value: &str) -> anyhow::Result<()> {
        self.patch_annotation(key, json!(value)).await
    }

    /// Removes an annotation.
    pub async fn unannotate(&self, key: &str) -> anyhow::Result<()> {
        self.patch_annotation(key, Value::Null).await
    }

    async fn patch_annotation(&self, key: &str, value: Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
        let params = PatchParams { field_manager: Some(USER.to_owned()), ..PatchParams::default() };
        self.api().patch(&self.name, &params, &patch).await?;
        Ok(())
    }

    /// The Rollout as it is now.
    pub async fn rollout(&self) -> anyhow::Result<Rollout> {
        Ok(self.api().get(&self.name).await?)
    }

    /// Its status as it is now.
    pub async fn status(&self) -> anyhow::Result<RolloutStatus> {
        Ok(self.rollout().await?.status.unwrap_or_default())
    }

    /// Watches the Rollout until `reached` holds. After `deadline` the error says what was waited
    /// for and shows the last status.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        reached: impl FnMut(&Rollout) -> bool,
    ) -> anyhow::Result<Rollout> {
        watch::until(self.api(), &self.name, what, deadline, reached).await
    }

    /// Watches the Rollout for the whole of `span` and fails as soon as `happened` holds.
    pub async fn never(
        &self,
        what: &str,
        span: Duration,
        happened: impl FnMut(&Rollout) -> bool,
    ) -> anyhow::Result<()> {
        watch::never(self.api(), &self.name, what, span, happened).await
    }

    /// Waits until the release in the spec serves everywhere.
    pub async fn completed(&self, deadline: Duration) -> anyhow::Result<Rollout> {
        self.wait_for("the release to be completed", deadline, |rollout| {
            ended(rollout) == Some(AttemptPhase::Completed)
        })
        .await
    }

    /// Waits until the release in the spec has been taken back.
    pub async fn aborted(&self, deadline: Duration) -> anyhow::Result<Rollout> {
        self.wait_for("the release to be aborted", deadline, |rollout| {
            ended(rollout) == Some(AttemptPhase::Aborted)
        })
        .await
    }

    /// Deletes the Rollout and waits until it is gone.
    pub async fn delete(&self, deadline: Duration) -> anyhow::Result<()> {
        self.api().delete(&self.name, &DeleteParams::default()).await?;
        watch::gone(self.api(), &self.name, deadline).await
    }

    /// The Events about the Rollout, as reason and note.
    pub async fn events(&self) -> anyhow::Result<Vec<(String, String)>> {
        let events: Api<Event> = Api::namespaced(self.hub.clone(), &self.namespace);
        let fields = format!("regarding.name={}", self.name);
        let list = events.list(&ListParams::default().fields(&fields)).await?;
        let text = |text: Option<String>| text.unwrap_or_default();
        Ok(list.into_iter().map(|event| (text(event.reason), text(event.note))).collect())
    }

    /// The route in a member.
    pub async fn route(&self, member: &str) -> anyhow::Result<Value> {
        let place = self.place(member)?;
        let routes = apply::api_for(&place.client, &manifests::route(&self.namespace, &self.name))?;
        Ok(serde_json::to_value(routes.get(&self.name).await?)?)
    }

    /// The weights of the stable and the canary Service in a member's route.
    pub async fn weights(&self, member: &str) -> anyhow::Result<(i64, i64)> {
        let route = self.route(member).await?;
        let weight = |backend: usize| {
            let pointer = format!("/spec/rules/0/backendRefs/{backend}/weight");
            route.pointer(&pointer).and_then(Value::as_i64).unwrap_or(1)
        };
        Ok((weight(0), weight(1)))
    }

    /// Starts a load of so many requests per second on every member's gateway.
    pub fn load(&self, rps_per_member: u32) -> anyhow::Result<ServiceLoad> {
        let places = self.places.iter().map(|place| (place.clone(), rps_per_member));
        let places: Vec<_> = places.collect();
        ServiceLoad::start(&places, &self.host(), Shape::default())
    }

    /// Starts a load on these members only.
    pub fn load_in(&self, members: &[&str], rps_per_member: u32) -> anyhow::Result<ServiceLoad> {
        let rates: Vec<_> = members.iter().map(|member| (*member, rps_per_member)).collect();
        self.shaped_load(&rates, Shape::default())
    }

    /// Starts a load on these members only, each with its own mean rate in requests per second,
    /// that changes with time as `shape` says.
    pub fn shaped_load(&self, rates: &[(&str, u32)], shape: Shape) -> anyhow::Result<ServiceLoad> {
        let places = rates.iter().map(|(member, rps)| Ok((self.place(member)?.clone(), *rps)));
        let places: Vec<_> = places.collect::<anyhow::Result<_>>()?;
        ServiceLoad::start(&places, &self.host(), shape)
    }

    /// Changes the faults of a version's pods in a member that run now; `faults` is a query such
    /// as `error_rate=0.3&latency_ms=50`. How many pods there were.
    pub async fn control(
        &self,
        member: &str,
        version: &str,
        faults: &str,
    ) -> anyhow::Result<usize> {
        faults::control(&self.place(member)?.client, &self.namespace, version, faults).await
    }

    /// The same for one of these pods, the first by its name. Fails while there is none.
    pub async fn control_one(
        &self,
        member: &str,
        version: &str,
        faults: &str,
    ) -> anyhow::Result<()> {
        let client = &self.place(member)?.client;
        faults::control_one(client, &self.namespace, version, faults).await
    }

    /// Gives every pod of `version` in a member these faults as soon as it has an address, until
    /// the returned guard is dropped. Pods need a start delay to be faulty from their first
    /// request.
    pub fn keep_faulty(&self, member: &str, version: &str, faults: &str) -> anyhow::Result<Faulty> {
        let place = self.place(member)?;
        Ok(Faulty::start(place.client.clone(), &self.namespace, version, faults))
    }
}

/// How the attempt at the revision that the spec asks for has ended, if it has.
#[must_use]
pub fn ended(rollout: &Rollout) -> Option<AttemptPhase> {
    let status = rollout.status.as_ref()?;
    let attempt = status.attempt.as_ref()?;
    let current = status.observed_generation == rollout.metadata.generation
        && attempt.revision == revision_of(&rollout.spec);
    let ended = matches!(attempt.phase, AttemptPhase::Completed | AttemptPhase::Aborted);
    (current && ended).then_some(attempt.phase)
}
