//! What a pod says that a measurement of it needs.

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use kube::ResourceExt;
use lockflight_analysis::{judge::Arm, reading::PodFacts};

/// A pod's part in a comparison. Its first traffic is when it became ready; that its revision may
/// have had no share then is the caller's to know.
#[must_use]
pub fn facts(pod: &Pod, arm: Arm) -> PodFacts {
    let ready_since = ready_since(pod);
    PodFacts {
        arm,
        created_at: pod.creation_timestamp().and_then(|at| time(&at)),
        first_traffic: ready_since,
        ready_since,
        terminating_since: terminating_since(pod),
        restarted_at: restarted_at(pod),
    }
}

fn time(time: &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.0.as_second(), 0)
}

fn ready_since(pod: &Pod) -> Option<DateTime<Utc>> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
    ready.last_transition_time.as_ref().and_then(time)
}

/// The deletion timestamp is when the grace period ends, not when it begins.
fn terminating_since(pod: &Pod) -> Option<DateTime<Utc>> {
    let ends = pod.metadata.deletion_timestamp.as_ref().and_then(time)?;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0).max(0);
    ends.checked_sub_signed(TimeDelta::try_seconds(grace)?)
}

fn restarted_at(pod: &Pod) -> Option<DateTime<Utc>> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let restarted = statuses.iter().filter(|status| status.restart_count > 0);
    restarted
        .filter_map(|status| {
            let running = status.state.as_ref()?.running.as_ref()?;
            running.started_at.as_ref().and_then(time)
        })
        .max()
}
