//! The connection to the hub's API server, and every request that the plugin makes.

use std::{future::Future, path::Path, time::Duration};

use chrono::Utc;
use futures::{Stream, StreamExt as _};
use kube::{
    Api, Client, Config,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{WatchStreamExt as _, watcher},
};
use lockflight_crds::Rollout;
use serde_json::Value;

use crate::{Failure, Global, RolloutView, Style, Times, failure::cause, render};

/// Field manager of every annotation that the plugin writes.
const FIELD_MANAGER: &str = "kubectl-lockflight";

/// The hub, as one command uses it.
pub(crate) struct Session {
    client: Client,
    /// Address of the API server, for messages.
    server: String,
    /// The context of the kubeconfig, where there is one.
    context: Option<String>,
    /// Namespace that the command works in.
    pub(crate) namespace: String,
    request_timeout: Duration,
    /// How to draw.
    pub(crate) style: Style,
}

/// What a watch on one rollout tells.
pub(crate) enum Update {
    /// It is so now.
    Now(Box<Rollout>),
    /// It does not exist any more.
    Gone,
    /// The watch was lost; it is being made anew.
    Lost(String),
}

impl Session {
    /// Reads the kubeconfig and prepares a client. Sends nothing.
    pub(crate) async fn open(global: &Global, style: Style) -> Result<Self, Failure> {
        let (mut config, context) = config(global).await?;
        config.connect_timeout = Some(global.request_timeout);
        // A person waits: an error now is better than an answer in minutes.
        config.default_retry = false;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = global.namespace.clone().unwrap_or(config.default_namespace.clone());
        // Only one provider is compiled in; that another caller was first is no error.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_from(config)
            .map_err(|error| Failure::from_kube(error, &server, &namespace))?;
        let request_timeout = global.request_timeout;
        Ok(Self { client, server, context, namespace, request_timeout, style })
    }

    /// A session over any client.
    #[cfg(test)]
    pub(crate) fn over(client: Client) -> Self {
        Self {
            client,
            server: "https://hub:6443".to_owned(),
            context: None,
            namespace: "shop".to_owned(),
            request_timeout: Duration::from_secs(1),
            style: Style { color: false, ascii: false, times: Times::Absolute },
        }
    }

    /// The client, for what goes on beside single requests.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What the hub is called: its context, as people know it, or else its address.
    pub(crate) fn hub(&self) -> &str {
        self.context.as_ref().unwrap_or(&self.server)
    }

    /// The answer to any request, in time, or why there is none.
    pub(crate) async fn ask<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        self.sorted(self.timed(request).await?)
    }

    fn api(&self) -> Api<Rollout> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One rollout.
    pub(crate) async fn get(&self, name: &str) -> Result<Rollout, Failure> {
        self.sorted(self.timed(self.api().get(name)).await?)
    }

    /// Many rollouts.
    pub(crate) async fn list(
        &self,
        everywhere: bool,
        selector: Option<&str>,
    ) -> Result<Vec<Rollout>, Failure> {
        let api = if everywhere { Api::all(self.client.clone()) } else { self.api() };
        let params = selector
            .map_or_else(ListParams::default, |labels| ListParams::default().labels(labels));
        let list = self.timed(api.list(&params)).await?;
        Ok(self.sorted(list)?.items)
    }

    /// Sets an annotation, or removes it. With a resource version nothing is written when the
    /// object has changed since; that is told by `None`.
    pub(crate) async fn annotate(
        &self,
        name: &str,
        annotation: &str,
        value: Option<&str>,
        resource_version: Option<&str>,
    ) -> Result<Option<Rollout>, Failure> {
        let mut patch = serde_json::json!({"metadata": {"annotations": {annotation: value}}});
        if let Some(version) = resource_version {
            patch["metadata"]["resourceVersion"] = Value::from(version);
        }
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match self.timed(self.api().patch(name, &params, &Patch::Merge(patch))).await? {
            Err(error) if Failure::is_conflict(&error) => Ok(None),
            answer => self.sorted(answer).map(Some),
        }
    }

    /// Follows one rollout through lost connections until it is dropped.
    pub(crate) fn follow(&self, name: &str) -> impl Stream<Item = Update> + Send + use<> {
        watcher::watch_object(self.api(), name).default_backoff().map(|update| match update {
            Ok(Some(rollout)) => Update::Now(Box::new(rollout)),
            Ok(None) => Update::Gone,
            Err(error) => Update::Lost(cause(&error)),
        })
    }

    /// The tree as it is now.
    pub(crate) fn draw(&self, view: &RolloutView, times: Times) -> String {
        render(view, Utc::now(), Style { times, ..self.style })
    }

    async fn timed<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<kube::Result<T>, Failure> {
        tokio::time::timeout(self.request_timeout, request).await.map_err(|_| Failure::NoAnswer {
            server: self.server.clone(),
            after: self.request_timeout,
        })
    }

    fn sorted<T>(&self, answer: kube::Result<T>) -> Result<T, Failure> {
        answer.map_err(|error| Failure::from_kube(error, &self.server, &self.namespace))
    }
}

/// The configuration of the client, and the context that it is from.
async fn config(global: &Global) -> Result<(Config, Option<String>), Failure> {
    let Some(kubeconfig) = kubeconfig(global.kubeconfig.as_deref())? else {
        let inferred = Config::infer().await;
        let inferred = inferred.map_err(|error| Failure::NoCluster(Box::new(error)))?;
        return Ok((inferred, None));
    };
    let context = check_context(&kubeconfig, global.context.as_deref())?;
    let options =
        KubeConfigOptions { context: global.context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Ok((config.map_err(Failure::Kubeconfig)?, Some(context)))
}

/// The kubeconfig that kubectl would use; none at all is fine inside a pod.
fn kubeconfig(file: Option<&Path>) -> Result<Option<Kubeconfig>, Failure> {
    if let Some(file) = file {
        return Kubeconfig::read_from(file).map(Some).map_err(Failure::Kubeconfig);
    }
    if let Some(found) = Kubeconfig::from_env().map_err(Failure::Kubeconfig)? {
        return Ok(Some(found));
    }
    Ok(Kubeconfig::read().ok())
}

/// The context that is meant.
fn check_context(kubeconfig: &Kubeconfig, wanted: Option<&str>) -> Result<String, Failure> {
    let known: Vec<String> = kubeconfig.contexts.iter().map(|c| c.name.clone()).collect();
    let chosen = wanted.or(kubeconfig.current_context.as_deref()).filter(|name| !name.is_empty());
    match chosen {
        Some(name) if known.iter().any(|known| known == name) => Ok(name.to_owned()),
        Some(name) => {
            Err(Failure::Context { wanted: format!("there is no context {name:?}"), known })
        }
        None => Err(Failure::Context { wanted: "no context is chosen".to_owned(), known }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_contexts_there_are() {
        let kubeconfig = Kubeconfig::from_yaml(
            "apiVersion: v1\nkind: Config\ncontexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]\n",
        )
        .unwrap();
        assert_eq!(check_context(&kubeconfig, Some("b")).unwrap(), "b");
        let failure = check_context(&kubeconfig, Some("c")).unwrap_err();
        assert_eq!(failure.to_string(), r#"there is no context "c"; the kubeconfig has: a, b"#);
        let failure = check_context(&kubeconfig, None).unwrap_err();
        assert_eq!(failure.to_string(), "no context is chosen; the kubeconfig has: a, b");
        assert_eq!(failure.exit(), crate::Exit::Usage);
    }
}
