//! Kubeconfig files, and clients made from them.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::pki::Identity;

/// How a kubeconfig proves who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A client certificate.
    Certificate(Identity),
    /// A bearer token.
    Token(String),
}

/// One cluster of a kubeconfig; cluster, user and context bear the same name.
#[derive(Clone, Debug)]
pub struct Context {
    /// Name of the context.
    pub name: String,
    /// `https://…` of the API server.
    pub server: String,
    /// The authority's certificate, as PEM.
    pub ca: String,
    /// How to authenticate.
    pub credential: Credential,
}

/// Writes a kubeconfig whose first context is the current one.
pub fn write(path: &Path, contexts: &[Context]) -> anyhow::Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(&document(contexts))?)
        .with_context(|| format!("writing {}", path.display()))
}

/// A client for `context`.
pub async fn client(context: &Context) -> anyhow::Result<kube::Client> {
    let kubeconfig: Kubeconfig = serde_json::from_value(document(std::slice::from_ref(context)))?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // Never through the user's proxy: the traffic stays in the namespace.
    config.proxy_url = None;
    Ok(kube::Client::try_from(config)?)
}

fn document(contexts: &[Context]) -> Value {
    let named = |field: &str, content: &dyn Fn(&Context) -> Value| -> Value {
        contexts.iter().map(|c| json!({ "name": c.name, field: content(c) })).collect()
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map(|c| &c.name),
        "clusters": named("cluster", &|c| json!({
            "server": c.server,
            "certificate-authority-data": STANDARD.encode(&c.ca),
        })),
        "users": named("user", &|c| match &c.credential {
            Credential::Token(token) => json!({ "token": token }),
            Credential::Certificate(identity) => json!({
                "client-certificate-data": STANDARD.encode(&identity.certificate),
                "client-key-data": STANDARD.encode(&identity.key),
            }),
        }),
        "contexts": named("context", &|c| json!({ "cluster": c.name, "user": c.name })),
    })
}
