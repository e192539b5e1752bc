//! Views of the states that matter.

use lockflight_crds::{Rollout, WavePhase, names};
use serde_json::json;

use super::{testing::*, *};

fn row(rollout: &Rollout) -> RolloutRow {
    RolloutRow::from(rollout)
}

fn effect(rollout: &Rollout, verb: Verb) -> Option<String> {
    actions(rollout).into_iter().find(|a| a.verb == verb).map(|a| a.effect)
}

#[test]
fn rows_tell_state_place_and_urgency() {
    use Outcome::{Aborted, Completed, Moving, Waiting};
    let table = [
        (progressing(), Moving, None, "P", "cc"),
        (awaiting_approval(), Waiting, Some(Urgency::Asked), "P", "a."),
        (aborted(), Aborted, Some(Urgency::Critical), "R", "Ro"),
        (unreachable(), Moving, Some(Urgency::Blocked), "P", "u."),
        (completed(), Completed, None, "P", "PP"),
    ];
    for (rollout, outcome, urgency, first, rest) in table {
        let row = row(&rollout);
        let state = row.state.clone();
        assert_eq!(row.outcome, outcome, "{state}");
        assert_eq!(row.attention.as_ref().map(|a| a.urgency), urgency, "{state}");
        assert_eq!(row.waves[0].states, first, "{state}");
        assert_eq!(row.waves[1].states, rest, "{state}");
        assert_eq!(row.counts.total, 3, "{state}");
        let letters: String = row.cells().into_iter().map(CellState::letter).collect();
        assert_eq!(letters, format!("{first}{rest}"));
    }
}

#[test]
fn a_status_of_an_older_spec_is_not_believed() {
    let mut rollout = completed();
    rollout.metadata.generation = Some(5);
    assert_eq!(row(&rollout).outcome, Outcome::Moving);
    rollout.status = None;
    let row = row(&rollout);
    assert_eq!((row.state.as_str(), row.counts.total), ("Pending", 0));
    assert!(actions(&rollout).is_empty());
}

#[test]
fn shares_are_meant_ones_forward_and_seen_ones_back() {
    assert_eq!(row(&progressing()).waves[1].weights, [33, 33]);
    assert_eq!(row(&aborted()).waves[1].weights, [0, 33]);
    assert_eq!(row(&completed()).waves[0].weights, [100]);
}

#[test]
fn effects_say_exactly_what_happens() {
    let table = [
        (
            progressing(),
            Verb::Abort,
            Some(
                "All traffic leaves 7a1b2c3d4e at once; canaries go to 0 % (us-east-1 33 %, \
                 us-west-2 33 %); 1 promoted cluster goes back to 618e741e25.",
            ),
        ),
        (
            progressing(),
            Verb::Pause,
            Some(
                "Nothing moves forward; traffic stays as it is (us-east-1 at 33 %, us-west-2 at \
                 33 %). Going back is never stopped.",
            ),
        ),
        (
            awaiting_approval(),
            Verb::Promote,
            Some(
                "Wave rest starts: 2 clusters (us-east-1, us-west-2), at most 2 at a time, first \
                 to 5 %.",
            ),
        ),
        (
            unreachable(),
            Verb::Abort,
            Some(
                "All traffic leaves 7a1b2c3d4e at once; canaries go to 0 % (us-east-1 5 %); 1 \
                 promoted cluster goes back to 618e741e25. 1 cluster is not reached: the \
                 rollback is owed, and is the first write on return.",
            ),
        ),
        (
            aborted(),
            Verb::Retry,
            Some(
                "Revision 7a1b2c3d4e starts again from the first step with wave first, as \
                 attempt 4.",
            ),
        ),
        (aborted(), Verb::Abort, None),
        (completed(), Verb::Abort, None),
        (completed(), Verb::Pause, None),
        (progressing(), Verb::Resume, None),
    ];
    for (rollout, verb, expected) in table {
        assert_eq!(effect(&rollout, verb).as_deref(), expected, "{} {verb:?}", row(&rollout).state);
    }
}

#[test]
fn a_step_opens_its_own_weight_or_the_next() {
    let with = |weight: u8, step: u32| {
        let mut rollout = awaiting_approval();
        let status = rollout.status.as_mut().unwrap();
        let mut member = status.members[0].clone();
        member.name = "us-east-1".to_owned();
        (member.weight, member.step) = (weight, step);
        member.phase = lockflight_crds::MemberPhase::Canary;
        status.members.push(member);
        let actions = actions(&rollout);
        let gate = actions.iter().find(|a| a.cluster.as_deref() == Some("us-east-1")).unwrap();
        assert_eq!(
            gate.kubectl,
            "kubectl lockflight promote checkout -n shop --token 3-us-east-1-77ab"
        );
        gate.effect.clone()
    };
    assert_eq!(with(5, 2), "Traffic in us-east-1 goes from 5 % to 33 %.");
    assert_eq!(with(33, 2), "Traffic in us-east-1 goes from 33 % to 100 %.");
    assert_eq!(with(100, 3), "The new revision becomes the stable one in us-east-1.");
}

#[test]
fn a_wave_that_has_passed_opens_the_next() {
    let mut rollout = awaiting_approval();
    let plan = rollout.status.as_mut().unwrap().plan.as_mut().unwrap();
    plan.waves[0].phase = WavePhase::Baking;
    assert_eq!(
        effect(&rollout, Verb::Promote).unwrap(),
        "Wave first has passed. Wave rest starts: 2 clusters (us-east-1, us-west-2), at most 2 at \
         a time, first to 5 %."
    );
}

#[test]
fn a_pause_can_be_ended_and_only_then() {
    let mut rollout = progressing();
    let pause = [(names::PAUSE_ANNOTATION.to_owned(), "lunch".to_owned())];
    rollout.metadata.annotations = Some(pause.into_iter().collect());
    let verbs: Vec<Verb> = actions(&rollout).into_iter().map(|a| a.verb).collect();
    assert_eq!(verbs, [Verb::Resume, Verb::Abort]);
    assert_eq!(row(&rollout).paused.as_deref(), Some("lunch"));
}

#[test]
fn why_names_whoever_can_change_it() {
    let table = [
        (progressing(), Who::Clusters, "us-east-1: step 2 bakes for 30s."),
        (awaiting_approval(), Who::Person, "Wave rest starts after an approval."),
        (aborted(), Who::Person, "The rollout is Aborted."),
        (completed(), Who::Nothing, "The rollout is Completed."),
        (unreachable(), Who::Clusters, "1 cluster is unreachable and 0 may be."),
    ];
    for (rollout, who, sentence) in table {
        let why = RolloutPage::from(&rollout).why;
        assert_eq!((why.who, why.sentence.as_str()), (who, sentence));
    }
}

#[test]
fn failures_are_seen_before_the_abort_stands() {
    let mut rollout = progressing();
    let member = &mut rollout.status.as_mut().unwrap().members[1];
    member.verdict.as_mut().unwrap().state = lockflight_crds::VerdictState::Fail;
    let row = row(&rollout);
    assert_eq!(row.waves[1].states, "xc");
    let attention = row.attention.unwrap();
    assert_eq!((attention.urgency, attention.word.as_str()), (Urgency::Critical, "Failed"));
    assert_eq!(attention.cluster.as_deref(), Some("us-east-1"));
}

#[test]
fn an_old_abort_is_no_abort_of_this_attempt() {
    assert!(RolloutPage::from(&aborted()).abort.is_some());
    let mut rollout = aborted();
    let attempt = rollout.status.as_mut().unwrap().attempt.as_mut().unwrap();
    attempt.started_at = now();
    assert!(RolloutPage::from(&rollout).abort.is_none());
}

#[test]
fn clusters_say_what_is_known_and_no_more() {
    let mut object = json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "eu-west-1", "labels": {"tier": "prod"}},
        "spec": {"server": "https://10.0.0.1:6443", "credentials": {"secretName": "s"}},
    });
    let read = |object: &serde_json::Value| -> ClusterRow {
        let cluster: lockflight_crds::Cluster = serde_json::from_value(object.clone()).unwrap();
        ClusterRow::from(&cluster)
    };
    let unseen = read(&object);
    assert_eq!((unseen.ready, unseen.reason.as_str()), (None, "Pending"));
    object["status"] = json!({"kubernetesVersion": "v1.37.2", "conditions": [{
        "type": "Ready", "status": "False", "reason": "Unreachable", "message": "no answer",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    let down = read(&object);
    assert_eq!((down.ready, down.reason.as_str()), (Some(false), "Unreachable"));
    assert_eq!(down.kubernetes_version.as_deref(), Some("v1.37.2"));
    assert!(down.since.is_some());
    // The name of the Secret is of no use to a reader, so it is not told.
    assert!(!serde_json::to_string(&down).unwrap().contains("\"s\""));
}
