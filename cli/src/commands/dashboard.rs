//! `dashboard`: the hub's page on this machine, with the user's own rights.

use std::{
    env,
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams, runtime::watcher};
use lockflight::{
    dashboard::{Access, Dashboard, EvidenceFeed, Source, code, watch_events},
    follow::follow,
    shelf::Shelf,
};
use lockflight_crds::{Cluster, GROUP, Rollout};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use super::say;
use crate::{Exit, Failure, arguments, session::Session};

/// How often the API server is asked whether it is there, and how long it may take.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the user may list beside Rollouts.
#[derive(Clone, Copy)]
struct Sees {
    clusters: bool,
    templates: bool,
    providers: bool,
}

/// Serves until Ctrl-C. `here_only`: the user named a namespace.
pub(super) async fn run(
    session: &Session,
    arguments: &arguments::Dashboard,
    here_only: bool,
) -> Result<Exit, Failure> {
    let client = session.client();
    let namespace = scope(session, here_only).await?;
    let rights = Sees {
        clusters: may_list(session, "clusters", None).await?,
        templates: may_list(session, "analysistemplates", namespace.as_deref()).await?,
        providers: may_list(session, "metricproviders", None).await?,
    };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind((address, arguments.port)).await.map_err(|error| {
        let port = arguments.port;
        Failure::State(format!("cannot listen at {address}:{port}: {error}; choose another --port"))
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    let secret =
        code().map_err(|_| Failure::State("this machine gives no random numbers".to_owned()))?;
    let answers = Arc::new(AtomicBool::new(true));
    let (source, watches) = caches(session, namespace.as_deref(), rights, &answers);
    say(&format!("{url}\ncode: {}\n", secret.expose_secret()))?;
    eprintln!(
        "{}; what you press is done with your own rights; Ctrl-C ends",
        namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name}"))
    );
    if !arguments.no_open {
        show(&url);
    }
    let dashboard = Dashboard::new(source, Access::code(client.clone(), secret));
    tokio::select! {
        served = dashboard.serve(listener) => {
            let name = served?;
            Err(Failure::State(format!("{name} ended")))
        }
        () = watches => Err(Failure::State("a watch ended".to_owned())),
        () = heartbeat(client.clone(), answers) => Err(Failure::State("no heartbeat".to_owned())),
        _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
    }
}

/// The one namespace that is shown; none: all of them.
async fn scope(session: &Session, here_only: bool) -> Result<Option<String>, Failure> {
    if !here_only && may_list(session, "rollouts", None).await? {
        return Ok(None);
    }
    let namespace = session.namespace.as_str();
    if may_list(session, "rollouts", Some(namespace)).await? {
        return Ok(Some(namespace.to_owned()));
    }
    Err(Failure::Forbidden(format!(
        "you may not list rollouts.{GROUP} in namespace {namespace:?}; name another one with -n"
    )))
}

async fn may_list(
    session: &Session,
    resource: &str,
    namespace: Option<&str>,
) -> Result<bool, Failure> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some(resource.to_owned()),
                verb: Some("list".to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(session.client().clone());
    let answer = session.ask(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Caches of what the user may see, and the future that keeps them, for ever.
fn caches(
    session: &Session,
    namespace: Option<&str>,
    rights: Sees,
    answers: &Arc<AtomicBool>,
) -> (Source, impl Future<Output = ()> + use<>) {
    let client = session.client().clone();
    let (rollouts, clusters) = (Arc::<Shelf<Rollout>>::default(), Arc::<Shelf<Cluster>>::default());
    let (templates, providers) = (Arc::default(), Arc::default());
    let events = Arc::default();
    let (seen, answering) = (Arc::clone(&rollouts), Arc::clone(answers));
    let source = Source {
        rollouts: Arc::clone(&rollouts),
        clusters: Arc::clone(&clusters),
        templates: Arc::clone(&templates),
        providers: Arc::clone(&providers),
        events: Arc::clone(&events),
        // Evidence lives in the hub; its own dashboard shows it.
        evidence: Arc::new(EvidenceFeed::default()),
        live: Arc::new(move || seen.synced() && answering.load(Ordering::Relaxed)),
        hub: session.hub().to_owned(),
    };
    let rollouts_api: Api<Rollout> = scoped(client.clone(), namespace);
    let events_api = scoped(client.clone(), namespace);
    let templates_api = scoped(client.clone(), namespace);
    let watches = async move {
        let config = watcher::Config::default;
        tokio::select! {
            () = follow(rollouts_api, config(), rollouts, |_| {}) => {}
            () = follow_if(rights.clusters, Api::all(client.clone()), clusters) => {}
            () = follow_if(rights.templates, templates_api, templates) => {}
            () = follow_if(rights.providers, Api::all(client), providers) => {}
            _ = watch_events(events_api, events) => {}
        }
    };
    (source, watches)
}

/// Keeps a cache for ever; one of what the user may not list stays unsynced.
async fn follow_if<K>(may_list: bool, api: Api<K>, shelf: Arc<Shelf<K>>)
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    if may_list {
        follow(api, watcher::Config::default(), shelf, |_| {}).await;
    } else {
        std::future::pending::<()>().await;
    }
}

fn scoped<K>(client: Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

async fn heartbeat(client: Client, answers: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let asked = tokio::time::timeout(HEARTBEAT, client.apiserver_version()).await;
        answers.store(matches!(asked, Ok(Ok(_))), Ordering::Relaxed);
    }
}

/// Opens a browser where there is one. That there is none is no failure: the address is printed.
fn show(url: &str) {
    let has_screen = cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    if has_screen {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let quiet = Stdio::null;
        let _ =
            Command::new(program).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use http_body_util::BodyExt as _;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// A session of somebody who may list rollouts where `allowed` says.
    fn session(allowed: fn(Option<&str>) -> bool) -> Session {
        let service = tower::service_fn(move |request: Request<Body>| async move {
            let bytes = request.into_body().collect().await?.to_bytes();
            let asked: Value = serde_json::from_slice(&bytes)?;
            let namespace = asked["spec"]["resourceAttributes"]["namespace"].as_str();
            let answer = json!({
                "metadata": {}, "spec": asked["spec"], "status": {"allowed": allowed(namespace)},
            });
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, tower::BoxError>(Response::builder().status(201).body(body)?)
        });
        Session::over(Client::new(service, "shop"))
    }

    #[tokio::test]
    async fn shows_all_that_the_user_may_list_and_no_more() {
        let everywhere = session(|_| true);
        assert_eq!(scope(&everywhere, false).await.unwrap(), None);
        assert_eq!(scope(&everywhere, true).await.unwrap().as_deref(), Some("shop"));
        let one = session(|namespace| namespace == Some("shop"));
        assert_eq!(scope(&one, false).await.unwrap().as_deref(), Some("shop"));
        let none = session(|_| false);
        let failure = scope(&none, false).await.unwrap_err();
        assert!(failure.to_string().contains("in namespace \"shop\""), "{failure}");
    }
}
