//! Jobs under way: one for each measurement that takes its time.
//!
//! A Job's name follows from what it measures, so an answer that was lost on its way makes no second
//! Job, and a hub that starts again finds the Jobs that it began. What a gate has begun ends with
//! the gate: a release that is taken back leaves nothing running.

mod manifest;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::batch::v1::Job;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use lockflight_analysis::judge::MetricName;
use lockflight_crds::names::{MANAGED_BY, MANAGED_BY_LABEL};
use tokio::{runtime::Handle, time::timeout};

pub(super) use self::manifest::{JobSource, Measurement};
use super::{answer::AnswerError, state::GateRequest};
use crate::fleet::client::CALL_TIMEOUT;

/// Time from one look at a Job to the next. Jobs take from seconds to minutes.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The Jobs of one gate. Dropping them ends those that are under way.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    metrics: BTreeMap<MetricName, Begun>,
}

/// The measurements of one metric.
#[derive(Debug, Default)]
struct Begun {
    /// Measurements that came to a result.
    finished: u32,
    /// The one that has begun and not come to a result.
    last: Option<Running>,
    /// Whether its result is waited for; if not, the next turn looks at it again.
    is_awaited: bool,
}

/// A Job that may be there.
#[derive(Clone)]
pub(super) struct Running {
    source: JobSource,
    measurement: Measurement,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.measurement.name()).finish()
    }
}

impl Jobs {
    /// Whether the result of a metric's Job is waited for.
    pub(super) fn is_under_way(&self, metric: &MetricName) -> bool {
        self.metrics.get(metric).is_some_and(|begun| begun.is_awaited)
    }

    /// Whether that of any is.
    pub(super) fn are_under_way(&self) -> bool {
        self.metrics.values().any(|begun| begun.is_awaited)
    }

    /// The Job of a metric's present measurement.
    pub(super) fn turn(
        &mut self,
        metric: &MetricName,
        source: &JobSource,
        request: &GateRequest,
    ) -> Running {
        let begun = self.metrics.entry(metric.clone()).or_default();
        begun.is_awaited = true;
        let number = begun.finished;
        let running = || Running {
            source: source.clone(),
            measurement: Measurement::of(metric, request, number),
        };
        begun.last.get_or_insert_with(running).clone()
    }

    /// A metric's Job has come to a result.
    pub(super) fn finish(&mut self, metric: &MetricName) {
        if let Some(begun) = self.metrics.get_mut(metric) {
            begun.finished = begun.finished.saturating_add(1);
            (begun.last, begun.is_awaited) = (None, false);
        }
    }

    /// A metric's Job could not be begun or looked at.
    pub(super) fn give_up(&mut self, metric: &MetricName) {
        if let Some(begun) = self.metrics.get_mut(metric) {
            begun.is_awaited = false;
        }
    }

    /// Measurements that came to a result, by metric.
    pub(super) fn finished(&self) -> Vec<(String, u32)> {
        let metrics = self.metrics.iter().filter(|(_, begun)| begun.finished > 0);
        metrics.map(|(metric, begun)| (metric.to_string(), begun.finished)).collect()
    }

    /// Goes on with the numbers that another process had come to.
    pub(super) fn count_on(&mut self, finished: Vec<(String, u32)>) {
        for (metric, finished) in finished {
            self.metrics.entry(metric.as_str().into()).or_default().finished = finished;
        }
    }

    /// Ends all that are under way, and forgets what was measured.
    pub(super) fn end(&mut self) {
        let metrics = std::mem::take(&mut self.metrics);
        for running in metrics.into_values().filter_map(|begun| begun.last) {
            // Without a runtime the process ends; then the Jobs' own deadline ends them.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move { running.delete().await });
            }
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    /// Whether the Job has succeeded; none as long as it runs. One that is not there is made.
    pub(super) async fn look(&self, query: &str) -> Result<Option<bool>, AnswerError> {
        match timeout(CALL_TIMEOUT, self.look_once(query)).await {
            Ok(found) => found,
            Err(_) => Err(AnswerError::TimedOut(CALL_TIMEOUT.as_millis())),
        }
    }

    async fn look_once(&self, query: &str) -> Result<Option<bool>, AnswerError> {
        let api = self.api()?;
        let name = self.measurement.name();
        let found = match api.get(&name).await {
            Ok(job) => Some(job),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => return Err(self.refused(&error)),
        };
        if let Some(job) = found {
            let labels = job.metadata.labels.as_ref();
            let ours = labels.and_then(|labels| labels.get(MANAGED_BY_LABEL));
            if ours.is_none_or(|manager| manager != MANAGED_BY) {
                let why = format!("Job {name} is not the hub's: rename or delete it");
                return Err(AnswerError::Unprepared(why));
            }
            return Ok(result(&job));
        }
        let job = self.source.manifest(&self.measurement, query);
        let job: Job = serde_json::from_value(job).map_err(|error| {
            AnswerError::Unprepared(format!("spec.job.template of the MetricProvider: {error}"))
        })?;
        match api.create(&PostParams::default(), &job).await {
            Ok(_) => Ok(None),
            // Made a moment ago by a request whose answer was lost.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(self.refused(&error)),
        }
    }

    async fn delete(&self) {
        let Ok(api) = self.api() else { return };
        let name = self.measurement.name();
        let deleted = timeout(CALL_TIMEOUT, api.delete(&name, &DeleteParams::background())).await;
        match deleted {
            Ok(Ok(_)) => {}
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {}
            Ok(Err(error)) => tracing::warn!(job = name, %error, "a Job is left to its deadline"),
            Err(_) => tracing::warn!(job = name, "a Job is left to its deadline: no answer"),
        }
    }

    fn api(&self) -> Result<Api<Job>, AnswerError> {
        let client: Client = self.source.client().map_err(AnswerError::Unreachable)?;
        Ok(Api::namespaced(client, &self.measurement.namespace))
    }

    fn refused(&self, error: &kube::Error) -> AnswerError {
        let namespace = &self.measurement.namespace;
        match error {
            kube::Error::Api(status) if status.code == 403 => AnswerError::Unprepared(format!(
                "the hub's account needs the verbs get, create and delete on jobs in namespace \
                 {namespace} of the member (chart lockflight-member, value jobs)"
            )),
            kube::Error::Api(status) => AnswerError::Unprepared(format!(
                "the member refused its Job with status {}: {}",
                status.code,
                status.message.chars().take(300).collect::<String>()
            )),
            error => AnswerError::Unreachable(error.to_string().chars().take(300).collect()),
        }
    }
}

/// Whether a Job has succeeded; none as long as it has not come to its end.
fn result(job: &Job) -> Option<bool> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = |kind: &str| {
        conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
    };
    match (holds("Complete"), holds("Failed")) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}
