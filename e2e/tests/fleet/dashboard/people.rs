//! People with real tokens of the hub's API server, and tokens that are none of ours.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use lockflight_e2e::{apply, wait};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

use crate::bed::{Bed, SOON};

/// Rights reach the authorizer of an API server within milliseconds.
const RIGHTS: Duration = SOON;
const ACCOUNTS: [&str; 4] = ["viewer", "operator", "aborter", "outsider"];

/// Who they are, in a namespace of the hub.
pub(crate) struct People<'a> {
    bed: &'a Bed,
    namespace: String,
}

impl<'a> People<'a> {
    /// A viewer who may list everything, an operator who may also give every command in this
    /// namespace, one who may list there and abort, and one who may nothing.
    pub(crate) async fn settle(bed: &'a Bed, namespace: &str) -> anyhow::Result<Self> {
        let client = bed.fleet.hub.client();
        let accounts = ACCOUNTS.map(|name| {
            json!({ "apiVersion": "v1", "kind": "ServiceAccount",
                    "metadata": { "name": name, "namespace": namespace } })
        });
        apply::apply_all(&client, &accounts).await?;
        let look = json!({ "apiGroups": ["lockflight.dev"], "verbs": ["list"],
                           "resources": ["rollouts", "clusters"] });
        let press = |verbs: &[&str]| json!({ "apiGroups": ["lockflight.dev"], "verbs": verbs, "resources": ["rollouts"] });
        let people = Self { bed, namespace: namespace.to_owned() };
        people.allow("Cluster", "viewer", look.clone()).await?;
        people.allow("Cluster", "operator", look).await?;
        people
            .allow("", "operator-here", press(&["promote", "abort", "retry", "pause", "resume"]))
            .await?;
        people.allow("", "aborter", press(&["list", "abort"])).await?;
        Ok(people)
    }

    /// Gives a rule to the account after which the role is called, up to a hyphen.
    async fn allow(&self, scope: &str, name: &str, right: Value) -> anyhow::Result<()> {
        let account = name.split('-').next().unwrap_or(name);
        let object = |kind: &str, fields: Value| {
            let mut object = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": format!("{scope}{kind}"),
                "metadata": { "name": format!("{}-{name}", self.namespace) },
            });
            if scope.is_empty() {
                object["metadata"]["namespace"] = json!(self.namespace);
            }
            if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
                object.extend(fields);
            }
            object
        };
        let role = object("Role", json!({ "rules": [right] }));
        let binding = object(
            "RoleBinding",
            json!({
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"],
                             "name": role["metadata"]["name"] },
                "subjects": [{ "kind": "ServiceAccount", "name": account,
                               "namespace": self.namespace }],
            }),
        );
        apply::apply_all(&self.bed.fleet.hub.client(), &[role, binding]).await
    }

    /// The name under which the API server knows an account.
    pub(crate) fn user(&self, account: &str) -> String {
        format!("system:serviceaccount:{}:{account}", self.namespace)
    }

    /// A token of an account, for the hub's API server itself.
    pub(crate) async fn token(&self, account: &str) -> anyhow::Result<String> {
        self.request(account, json!({ "audiences": [], "expirationSeconds": 3600 })).await
    }

    /// A token of an account that its API server accepts for somebody else only.
    pub(crate) async fn token_for_others(&self, account: &str) -> anyhow::Result<String> {
        let spec = json!({ "audiences": ["https://vault.example"], "expirationSeconds": 3600 });
        self.request(account, spec).await
    }

    /// A token that was good until the Secret that it was bound to was deleted.
    pub(crate) async fn revoked_token(&self, account: &str) -> anyhow::Result<String> {
        let client = self.bed.fleet.hub.client();
        let secret = json!({ "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "bound", "namespace": self.namespace } });
        let made = apply::apply(&client, &secret).await?;
        let bound = json!({ "apiVersion": "v1", "kind": "Secret", "name": "bound",
                            "uid": made.metadata.uid });
        let spec = json!({ "audiences": [], "expirationSeconds": 3600, "boundObjectRef": bound });
        let token = self.request(account, spec).await?;
        let secrets: Api<Secret> = Api::namespaced(client, &self.namespace);
        secrets.delete("bound", &DeleteParams::default()).await?;
        Ok(token)
    }

    async fn request(&self, account: &str, spec: Value) -> anyhow::Result<String> {
        let request: TokenRequest =
            serde_json::from_value(json!({ "metadata": {}, "spec": spec }))?;
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.bed.fleet.hub.client(), &self.namespace);
        wait::until(&format!("a token of {account}"), RIGHTS, async || {
            let answer =
                accounts.create_token_request(account, &PostParams::default(), &request).await?;
            answer.status.and_then(|status| status.token).context("an answer without a token")
        })
        .await
    }

    /// The token as it was two hours ago: signed by the API server's own key, and expired since.
    pub(crate) fn expired(&self, token: &str) -> anyhow::Result<String> {
        let file = self.bed.fleet.hub.dir().join("pki/accounts.key");
        let key = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        resigned(token, &KeyPair::from_pem(&key)?, |claims| {
            let old = |claim: &Value| claim.as_i64().map(|seconds| seconds - 2 * 3600);
            for name in ["iat", "nbf", "exp"] {
                claims[name] = old(&claims[name]).into();
            }
        })
    }
}

/// The token with the signature of somebody else.
pub(crate) fn forged(token: &str) -> anyhow::Result<String> {
    resigned(token, &KeyPair::generate()?, |_| {})
}

fn resigned(token: &str, key: &KeyPair, change: impl FnOnce(&mut Value)) -> anyhow::Result<String> {
    let mut parts = token.split('.');
    let (head, claims) = parts.next().zip(parts.next()).context("a token has three parts")?;
    let mut claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims)?)?;
    change(&mut claims);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims)?);
    let signed = format!("{head}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(plain(&key.sign(signed.as_bytes())?)?);
    Ok(format!("{signed}.{signature}"))
}

/// A signature by P-256 as a token has it (RFC 7518, section 3.4: both numbers with 32 bytes)
/// from its form in certificates (a sequence of two integers, without leading zeros).
fn plain(der: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut rest = der.get(2..).context("a signature without a body")?;
    let mut plain = Vec::new();
    for _ in 0..2 {
        let length = usize::from(*rest.get(1).context("an integer without a length")?);
        let integer = rest.get(2..2 + length).context("an integer that is cut off")?;
        let digits: Vec<u8> = integer.iter().copied().skip_while(|byte| *byte == 0).collect();
        let missing = 32_usize.checked_sub(digits.len()).context("an integer too large")?;
        plain.extend(std::iter::repeat_n(0, missing).chain(digits));
        rest = &rest[2 + length..];
    }
    Ok(plain)
}
