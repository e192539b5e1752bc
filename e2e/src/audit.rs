//! What an API server was asked to do, from its audit log: proof that does not depend on what a
//! program says about itself.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

/// User name of Lockflight's ServiceAccount, on the hub and in members.
pub const LOCKFLIGHT: &str = "system:serviceaccount:lockflight-system:lockflight";

const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// What API servers note: every request, and the bodies of writes to the kinds that matter here.
#[must_use]
pub fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            { "level": "None", "nonResourceURLs": ["*"] },
            { "level": "Request", "verbs": WRITES, "resources": [
                { "group": "lockflight.dev", "resources": ["*"] },
                { "group": "gateway.networking.k8s.io", "resources": ["httproutes"] },
                { "group": "apps", "resources": ["deployments", "deployments/scale"] },
                { "group": "", "resources": ["services"] },
            ]},
            { "level": "Metadata" },
        ],
    })
}

/// One line of the log.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `ResponseComplete`, or `ResponseStarted` for a watch that goes on.
    pub stage: String,
    /// `get`, `patch`, …
    pub verb: String,
    /// Who asked.
    pub user: User,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// The object asked for.
    pub object_ref: Option<ObjectRef>,
    /// The answer.
    pub response_status: Option<ResponseStatus>,
    /// The body of a write: the object, or the patch.
    pub request_object: Option<Value>,
    /// When the request arrived.
    pub request_received_timestamp: DateTime<Utc>,
    /// When this line's stage was reached.
    pub stage_timestamp: DateTime<Utc>,
    /// What the API server notes beside it, for example why the request was let in.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// User name.
    pub username: String,
}

/// The object asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// API group, empty for the core group.
    pub api_group: String,
    /// Plural resource.
    pub resource: String,
    /// Subresource, for example `status`.
    pub subresource: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name; absent in lists and in creates with a generated name.
    pub name: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, Deserialize)]
pub struct ResponseStatus {
    /// HTTP status.
    pub code: Option<u16>,
}

impl Event {
    /// Whether it asks for a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str())
    }

    /// Plural resource, or an empty text for a request without an object.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.object_ref.as_ref().map_or("", |o| &o.resource)
    }

    /// Subresource, if one was addressed.
    #[must_use]
    pub fn subresource(&self) -> Option<&str> {
        self.object_ref.as_ref()?.subresource.as_deref()
    }

    /// Namespace of the object, if it has one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.object_ref.as_ref()?.namespace.as_deref()
    }

    /// Name of the object, if one was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.object_ref.as_ref()?.name.as_deref()
    }

    /// `group/resource verb`, for example `apps/deployments patch`.
    #[must_use]
    pub fn right(&self) -> Option<String> {
        let object = self.object_ref.as_ref()?;
        let subresource = object.subresource.as_ref().map(|name| format!("/{name}"));
        let resource = format!("{}{}", object.resource, subresource.unwrap_or_default());
        Some(format!("{}/{resource} {}", object.api_group, self.verb))
    }

    /// The role that let the request in, by the API server's own word: `ClusterRole view`.
    #[must_use]
    pub fn let_in_by(&self) -> Option<String> {
        // RBAC: allowed by RoleBinding "lockflight/shop" of Role "lockflight" to ServiceAccount …
        let reason = self.annotations.get("authorization.k8s.io/reason")?;
        let mut parts = reason.strip_prefix("RBAC: allowed by ")?.split('"').skip(2);
        let kind = parts.next()?.trim().strip_prefix("of ")?;
        Some(format!("{kind} {}", parts.next()?))
    }

    /// HTTP status of the answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.response_status.as_ref()?.code
    }
}

/// The events of one API server, in the order in which they were answered.
#[derive(Clone, Debug, Default)]
pub struct Log {
    events: Vec<Event>,
}

impl Log {
    /// Reads the log as it is now.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the audit log {}", path.display()))?;
        Self::parse(&text)
    }

    /// Parses JSON lines. A last line without its end is being written and is left out.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events = whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("parsing audit event {line}"))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { events })
    }

    /// All events.
    pub fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.events.iter()
    }

    /// Only events of this user.
    #[must_use]
    pub fn by_user(self, username: &str) -> Self {
        self.only(|event| event.user.username == username)
    }

    /// Only requests for a change.
    #[must_use]
    pub fn writes(self) -> Self {
        self.only(Event::is_write)
    }

    /// Only events that arrived at or after `time`.
    #[must_use]
    pub fn since(self, time: DateTime<Utc>) -> Self {
        self.only(|event| event.request_received_timestamp >= time)
    }

    /// Only events for which `wanted` holds.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Event) -> bool) -> Self {
        self.events.retain(wanted);
        self
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl IntoIterator for Log {
    type Item = Event;
    type IntoIter = std::vec::IntoIter<Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl<'a> IntoIterator for &'a Log {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{LOCKFLIGHT, Log};

    const LINES: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"1","stage":"ResponseComplete","requestURI":"/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/checkout","verb":"patch","user":{"username":"system:serviceaccount:lockflight-system:lockflight","groups":["system:serviceaccounts"]},"sourceIPs":["10.201.1.1"],"objectRef":{"resource":"httproutes","namespace":"shop","name":"checkout","apiGroup":"gateway.networking.k8s.io","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestObject":[{"op":"test"}],"requestReceivedTimestamp":"2026-11-23T10:00:00.000001Z","stageTimestamp":"2026-11-23T10:00:00.010000Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"lockflight/shop\" of Role \"lockflight\" to ServiceAccount \"lockflight/lockflight-system\""}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"2","stage":"ResponseStarted","requestURI":"/api/v1/pods?watch=true","verb":"watch","user":{"username":"admin"},"objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-23T10:00:01.000001Z","stageTimestamp":"2026-11-23T10:00:01.010000Z"}
{"kind":"Event","half"#;

    #[test]
    fn parses_filters_and_leaves_out_a_line_being_written() {
        let log = Log::parse(LINES).unwrap();
        assert_eq!(log.len(), 2);
        let writes = log.by_user(LOCKFLIGHT).writes();
        let event = writes.iter().next().unwrap();
        assert_eq!(
            (event.resource(), event.namespace(), event.name(), event.code()),
            ("httproutes", Some("shop"), Some("checkout"), Some(200))
        );
        assert_eq!(event.request_object.as_ref().unwrap()[0]["op"], "test");
        assert_eq!(event.right().as_deref(), Some("gateway.networking.k8s.io/httproutes patch"));
        assert_eq!(event.let_in_by().as_deref(), Some("Role lockflight"));
        assert_eq!(writes.len(), 1);
        assert!(writes.since("2026-11-23T10:00:00.5Z".parse().unwrap()).is_empty());
    }
}
