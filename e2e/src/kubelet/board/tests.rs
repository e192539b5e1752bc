use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::*;

const HOST: Ipv4Addr = Ipv4Addr::new(10, 201, 1, 1);

fn board(status: &serde_json::Value) -> (Board, watch::Receiver<PodStatus>) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "a", "namespace": "shop", "uid": "u", "generation": 2},
        "spec": {"containers": [{"name": "app", "image": "demo:v1"}]},
        "status": status,
    }))
    .unwrap();
    let (sender, receiver) = watch::channel(PodStatus::default());
    (Board::new(&Manifest::of(&pod, &BTreeMap::new()), HOST, sender), receiver)
}

fn condition(status: &PodStatus, kind: &str) -> PodCondition {
    let conditions = status.conditions.as_ref().unwrap();
    conditions.iter().find(|condition| condition.type_ == kind).unwrap().clone()
}

fn exit(code: i32) -> Exit {
    let moment = Timestamp::UNIX_EPOCH;
    Exit { code, signal: None, started: moment, finished: moment, message: Some("why".to_owned()) }
}

#[test]
fn a_transition_time_moves_only_with_its_status() {
    let old = json!("2026-01-02T03:04:05Z");
    let (mut board, statuses) = board(&json!({"phase": "Running", "conditions": [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": old},
        {"type": "Ready", "status": "True", "lastTransitionTime": old},
    ]}));
    board.stopping();
    let status = statuses.borrow().clone();
    let time = |kind| serde_json::to_value(condition(&status, kind).last_transition_time).unwrap();
    assert_eq!(time("PodScheduled"), old);
    assert_ne!(time("Ready"), old);
    let ready = condition(&status, "Ready");
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("False", Some(2)));
    assert_eq!(ready.reason.as_deref(), Some("ContainersNotReady"));
}

#[test]
fn a_refused_pod_stays_pending_and_says_why() {
    let (mut board, statuses) = board(&json!({}));
    board.refused(&Refusal { reason: "ErrImagePull", message: "no such".to_owned() });
    let status = statuses.borrow().clone();
    assert_eq!(status.phase.as_deref(), Some("Pending"));
    let container = status.container_statuses.unwrap().remove(0);
    assert_eq!(container.state.unwrap().waiting.unwrap().reason.as_deref(), Some("ErrImagePull"));
    assert!(!container.ready);
}

#[test]
fn a_crash_keeps_its_reason_as_the_last_state() {
    let (mut board, statuses) = board(&json!({}));
    board.crashed(exit(3), "back-off 1s".to_owned());
    let container = statuses.borrow().container_statuses.clone().unwrap().remove(0);
    let last = container.last_state.unwrap().terminated.unwrap();
    assert_eq!((last.exit_code, last.message.as_deref()), (3, Some("why")));
    let waiting = container.state.unwrap().waiting.unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
}

#[test]
fn the_exit_code_decides_the_last_phase() {
    for (last, phase) in
        [(Some(exit(0)), "Succeeded"), (Some(exit(143)), "Failed"), (None, "Failed")]
    {
        let (mut board, statuses) = board(&json!({}));
        board.finished(last);
        assert_eq!(statuses.borrow().phase.as_deref(), Some(phase));
    }
}

#[test]
fn restarts_under_an_earlier_kubelet_count() {
    let state = json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}});
    let earlier = json!({"containerStatuses": [{"name": "app", "image": "demo:v1", "imageID": "",
        "ready": true, "restartCount": 4, "state": state}]});
    let (mut board, statuses) = board(&earlier);
    board.stopping();
    assert_eq!(statuses.borrow().container_statuses.as_ref().unwrap()[0].restart_count, 4);
}
