//! What a Job is made of.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use lockflight_analysis::judge::MetricName;
use lockflight_crds::{
    JobProvider,
    names::{MANAGED_BY, MANAGED_BY_LABEL, REVISION_LABEL, ROLLOUT_LABEL},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::metrics::{GateRequest, MemberClient, ProviderError};

/// The variable that holds the threshold's query.
const QUERY_VARIABLE: &str = "LOCKFLIGHT_QUERY";

/// Longest deadline.
const DEADLINE_SECONDS_MAX: u64 = 3600;

/// Bytes of a Job's name that tell measurements apart.
const HASH_LENGTH: usize = 10;

/// Where Jobs come from.
#[derive(Clone)]
pub(crate) struct JobSource {
    /// Template of the pod, as it is sent.
    template: Value,
    deadline_seconds: u64,
    ttl_seconds: u32,
    member: Option<MemberClient>,
}

/// What one Job measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measurement {
    /// The Rollout's namespace, here and in the member.
    pub(crate) namespace: String,
    rollout: String,
    revision: String,
    metric: String,
    opened_at: DateTime<Utc>,
    /// Number of the measurement within the step, from 0.
    number: u32,
}

impl Measurement {
    pub(super) fn of(metric: &MetricName, request: &GateRequest, number: u32) -> Self {
        Self {
            namespace: request.namespace.clone(),
            rollout: request.rollout.clone(),
            revision: request.revision.clone(),
            metric: metric.to_string(),
            opened_at: request.opened_at,
            number,
        }
    }

    /// The Job's name: another one for every measurement.
    pub(super) fn name(&self) -> String {
        let Self { namespace, rollout, revision, metric, opened_at, number } = self;
        let opened_at = opened_at.timestamp_millis();
        let what = format!("{namespace}/{rollout}/{revision}/{metric}/{opened_at}/{number}");
        let mut name = "lockflight-".to_owned();
        for byte in Sha256::digest(what.as_bytes()).iter().take(HASH_LENGTH) {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

impl JobSource {
    /// Jobs as described; they run in `member`.
    pub(crate) fn new(
        spec: &JobProvider,
        member: Option<MemberClient>,
    ) -> Result<Self, ProviderError> {
        let unusable = |field: &str, why: &str| ProviderError::Unusable {
            field: format!("spec.job.{field}"),
            why: why.to_owned(),
        };
        let deadline = spec.deadline.to_std().map_err(|source| ProviderError::Timeout {
            field: "spec.job.deadline".to_owned(),
            source,
        })?;
        if !(1..=DEADLINE_SECONDS_MAX).contains(&deadline.as_secs()) {
            return Err(unusable("deadline", "must be from 1s to 1h"));
        }
        let mut template = spec.template.clone();
        let containers = template.pointer("/spec/containers").and_then(Value::as_array);
        if containers.is_none_or(Vec::is_empty) {
            return Err(unusable("template.spec.containers", "must have at least one container"));
        }
        let volumes = template.pointer("/spec/volumes").and_then(Value::as_array);
        let is_token = |volume: &Value| {
            let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
            sources.into_iter().flatten().any(|one| one.get("serviceAccountToken").is_some())
        };
        if volumes.into_iter().flatten().any(is_token) {
            let why = "must not project a token of a ServiceAccount: a measurement needs none";
            return Err(unusable("template.spec.volumes", why));
        }
        for label in [ROLLOUT_LABEL, REVISION_LABEL] {
            let path = format!("/metadata/labels/{}", label.replace('/', "~1"));
            if template.pointer(&path).is_some() {
                // A Service would take the pod for one of the release.
                let why = format!("must not have {label}: the pod is none of the release's");
                return Err(unusable("template.metadata.labels", &why));
            }
        }
        if let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) {
            pod.insert("automountServiceAccountToken".to_owned(), json!(false));
            pod.insert("restartPolicy".to_owned(), json!("Never"));
        }
        Ok(Self {
            template,
            deadline_seconds: deadline.as_secs(),
            ttl_seconds: spec.ttl_seconds_after_finished,
            member,
        })
    }

    /// The client of the member, as it is now.
    pub(super) fn client(&self) -> Result<kube::Client, String> {
        let member = self.member.as_ref().ok_or("there is no member to run it in")?;
        member()
    }

    /// The Job of a measurement.
    pub(super) fn manifest(&self, of: &Measurement, query: &str) -> Value {
        let mut template = self.template.clone();
        let containers = template.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let variables = container.entry("env").or_insert_with(|| json!([]));
            if let Some(variables) = variables.as_array_mut() {
                variables.retain(|variable| variable["name"] != json!(QUERY_VARIABLE));
                variables.push(json!({"name": QUERY_VARIABLE, "value": query}));
            }
        }
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": of.name(),
                "namespace": of.namespace,
                "labels": {
                    (MANAGED_BY_LABEL): MANAGED_BY,
                    (ROLLOUT_LABEL): of.rollout,
                    (REVISION_LABEL): of.revision,
                },
                "annotations": {"lockflight.dev/metric": of.metric},
            },
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline_seconds,
                "ttlSecondsAfterFinished": self.ttl_seconds,
                "template": template,
            },
        })
    }
}
