//! What a pod's status tells of crashes.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;
use lockflight_planner::{PodFacts, RunFacts};

/// Longest name of a container or reason that gets into a sentence.
const WORD_CHARS_MAX: usize = 63;

/// The planner's facts of a pod; none of one that is being deleted, for its containers end by
/// order. Init containers, which end when they are done, are not looked at.
pub(super) fn facts(pod: &Pod) -> Option<PodFacts> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let created_at = pod.creation_timestamp().and_then(|at| time(&at))?;
    let statuses = || pod.status.iter().flat_map(|status| &status.container_statuses).flatten();
    let restarts = statuses().map(|status| u32::try_from(status.restart_count).unwrap_or(0));
    Some(PodFacts {
        created_at,
        restarts: restarts.fold(0, u32::saturating_add),
        last_run: statuses().filter_map(last_run).max_by_key(|run| run.ended_at),
        backing_off: statuses().any(is_backing_off),
    })
}

/// The last run of a container that has ended: the present state where it has not started again.
fn last_run(status: &ContainerStatus) -> Option<RunFacts> {
    let ended =
        |state: &Option<ContainerState>| state.as_ref().and_then(|state| state.terminated.clone());
    let run = ended(&status.state).or_else(|| ended(&status.last_state))?;
    let at = |stamp: &Option<Time>| stamp.as_ref().and_then(time);
    Some(RunFacts {
        started_at: at(&run.started_at)?,
        ended_at: at(&run.finished_at)?,
        end: sentence(&status.name, &run),
    })
}

/// Name, reason and code; not the message, which may hold anything that the program has printed.
fn sentence(container: &str, run: &ContainerStateTerminated) -> String {
    let word = |text: &str| text.chars().take(WORD_CHARS_MAX).collect::<String>();
    let reason = word(run.reason.as_deref().unwrap_or("ended"));
    format!("container {}: {reason}, exit code {}", word(container), run.exit_code)
}

fn is_backing_off(status: &ContainerStatus) -> bool {
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"))
}

fn time(time: &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.0.as_second(), 0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CREATED: &str = "2026-01-01T10:00:00Z";

    fn at(seconds: i64) -> DateTime<Utc> {
        CREATED.parse::<DateTime<Utc>>().unwrap() + chrono::TimeDelta::seconds(seconds)
    }

    fn terminated(from: i64, to: i64, reason: &str, code: i32) -> Value {
        json!({"terminated": {
            "startedAt": at(from), "finishedAt": at(to), "reason": reason, "exitCode": code,
            "message": "password=hunter2",
        }})
    }

    fn waiting(reason: &str) -> Value {
        json!({"waiting": {"reason": reason, "message": "back-off 10s"}})
    }

    fn container(name: &str, restarts: i32, state: &Value, last: &Value) -> Value {
        json!({
            "name": name, "image": "i", "imageID": "i", "ready": false, "restartCount": restarts,
            "state": state, "lastState": last,
        })
    }

    fn pod(containers: &[Value]) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "creationTimestamp": CREATED},
            "status": {
                "containerStatuses": containers,
                "initContainerStatuses": [
                    container("init", 3, &terminated(0, 2, "Completed", 0), &json!({})),
                ],
            },
        }))
        .unwrap()
    }

    fn run(from: i64, to: i64, end: &str) -> RunFacts {
        RunFacts { started_at: at(from), ended_at: at(to), end: end.to_owned() }
    }

    #[test]
    fn crashes_are_read_from_the_status_alone() {
        let running = json!({"running": {"startedAt": at(40)}});
        let error = terminated(5, 30, "Error", 1);
        let oom = terminated(8, 35, "OOMKilled", 137);
        let said = |text: &str| format!("container {text}");
        let cases = [
            (vec![container("app", 0, &running, &json!({}))], 0, None, false, "never ended"),
            (
                vec![container("app", 1, &running, &error)],
                1,
                Some(run(5, 30, &said("app: Error, exit code 1"))),
                false,
                "runs again",
            ),
            (
                vec![container("app", 1, &waiting("CrashLoopBackOff"), &oom)],
                1,
                Some(run(8, 35, &said("app: OOMKilled, exit code 137"))),
                true,
                "waits for its next start",
            ),
            (
                vec![container("app", 1, &oom, &error)],
                1,
                Some(run(8, 35, &said("app: OOMKilled, exit code 137"))),
                false,
                "has ended just now",
            ),
            (
                vec![container("app", 2, &running, &oom), container("proxy", 3, &running, &error)],
                5,
                Some(run(8, 35, &said("app: OOMKilled, exit code 137"))),
                false,
                "the container that ended last",
            ),
            (
                vec![container("app", 0, &waiting("ImagePullBackOff"), &json!({}))],
                0,
                None,
                false,
                "an image that cannot be pulled is no crash",
            ),
            (
                vec![container("app", 1, &running, &json!({"terminated": {"exitCode": 255}}))],
                1,
                None,
                false,
                "a run whose times are lost",
            ),
            (vec![], 0, None, false, "nothing runs yet"),
        ];
        for (containers, restarts, last_run, backing_off, what) in cases {
            let expect = PodFacts { created_at: at(0), restarts, last_run, backing_off };
            assert_eq!(facts(&pod(&containers)), Some(expect), "{what}");
        }
    }

    #[test]
    fn pods_that_are_being_deleted_end_by_order() {
        let mut pod = pod(&[container("app", 1, &json!({}), &terminated(5, 30, "Error", 143))]);
        pod.metadata.deletion_timestamp = pod.metadata.creation_timestamp.clone();
        assert_eq!(facts(&pod), None);
    }
}
