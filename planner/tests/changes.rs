//! Commands and changes of mind in the middle of things, played on a fleet in memory.

mod world;

use lockflight_planner::{Action, Approval, AttemptPhase, MemberPhase};
use world::{fleet, member, phase, release, revision, serves_everywhere};

#[test]
fn abort_by_command_acts_once_and_not_on_the_next_revision() {
    let mut world = fleet();
    world.commands.abort = Some("at rest".to_owned());
    world.step();
    world.step();
    assert_eq!(world.commands.abort, None);
    assert!(world.notices.iter().any(|notice| notice.starts_with("NothingToAbort")));
    release(&mut world, "v2");
    world.until("on trial", 100, |w| w.get("a").share(&revision("v2")) > 0);
    world.commands.abort = Some("smells".to_owned());
    world.until("aborted", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert!(serves_everywhere(&world, "v1"));
    for _ in 0..20 {
        world.step();
    }
    assert_eq!(world.phase(), Some(AttemptPhase::Aborted), "the same spec does not start again");
    release(&mut world, "v3");
    world.until("v3 completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert_eq!(world.lost, 0);
}

#[test]
fn abort_and_promote_together_abort() {
    let mut world = fleet();
    world.policy.steps[0].approval = Approval::After;
    release(&mut world, "v2");
    world.until("a token", 100, |w| !w.shown_tokens.is_empty());
    world.commands.promote = world.shown_tokens.first().cloned();
    world.commands.abort = Some("no".to_owned());
    world.until("aborted", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert!(
        world.get("a").log.iter().all(|a| *a != Action::SetWeight { percent: 50, urgent: false })
    );
}

#[test]
fn a_token_opens_its_gate_once_and_stale_ones_open_nothing() {
    let mut world = fleet();
    world.policy.steps[0].approval = Approval::After;
    world.policy.steps[1].approval = Approval::Before;
    release(&mut world, "v2");
    world.until("a token", 100, |w| !w.shown_tokens.is_empty());
    let token = world.shown_tokens.first().cloned().unwrap();
    world.commands.promote = Some("garbage".to_owned());
    world.step();
    assert!(world.notices.iter().any(|notice| notice.starts_with("StalePromotion")));
    assert_eq!(world.journal.members[&member("a")].step, 1);
    world.commands.promote = Some(token.clone());
    world.until("at the next gate", 100, |w| {
        w.shown_tokens.first().is_some_and(|shown| *shown != token)
    });
    for _ in 0..10 {
        world.step();
    }
    assert_eq!(world.get("a").weight, 10, "the same token does not open the next gate");
    let tokens: Vec<String> = world.shown_tokens.iter().cloned().collect();
    world.commands.promote = Some(format!("{token},{}", tokens.join(",")));
    world.until("past both gates", 100, |w| w.get("a").weight == 50);
}

#[test]
fn pause_is_a_level() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("on trial", 100, |w| w.get("a").share(&revision("v2")) > 0);
    world.commands.paused = true;
    let weight = world.get("a").weight;
    for _ in 0..50 {
        world.step();
    }
    assert_eq!(world.get("a").weight, weight);
    world.commands.paused = false;
    world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
}

#[test]
fn superseding_reverting_and_retrying_lose_nothing() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("half on v2", 200, |w| w.get("a").share(&revision("v2")) == 50);
    release(&mut world, "v3");
    world.until("v3 on trial", 200, |w| w.get("a").share(&revision("v3")) > 0);
    assert_eq!(world.get("a").share(&revision("v2")), 0, "v2 is off before v3 counts");
    release(&mut world, "v1");
    world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v1"));
    world.edit("a").bad.insert(revision("v4"));
    release(&mut world, "v4");
    world.until("aborted", 200, |w| w.phase() == Some(AttemptPhase::Aborted));
    world.edit("a").bad.clear();
    world.commands.retry = Some("1".to_owned());
    world.step();
    assert_eq!(world.phase(), Some(AttemptPhase::Aborted), "a retry names its attempt");
    let number = world.journal.attempt.as_ref().unwrap().number;
    world.commands.retry = Some(number.to_string());
    world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v4"));
    assert_eq!(world.lost, 0);
}

#[test]
fn what_is_served_already_needs_no_approval() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("on trial", 100, |w| w.get("a").share(&revision("v2")) > 0);
    world.commands.abort = Some("no".to_owned());
    world.until("aborted", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    for wave in &mut world.policy.waves {
        wave.approval = Approval::Before;
    }
    // The spec is put back to what serves.
    release(&mut world, "v1");
    world.until("v1 completed", 100, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(world.shown_tokens.is_empty(), "{:?}", world.shown_tokens);
    assert!(
        world.journal.members[&member("a")].ready_pods > 0,
        "the pods that serve are not counted"
    );
    release(&mut world, "v3");
    world.until("a token", 100, |w| !w.shown_tokens.is_empty());
    assert_eq!(phase(&world, "a"), MemberPhase::Pending);
}

#[test]
fn a_raise_that_a_change_of_mind_overtakes_does_not_stay() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("a raise under way", 100, |w| w.journal.members[&member("a")].weight > 0);
    // The raise has been sent and has not arrived; the spec goes back to v1.
    world.edit("a").set_weight(0);
    world.in_flight.clear();
    let raise = Action::SetWeight { percent: 10, urgent: false };
    world.in_flight.push((member("a"), raise, world.get("a").versions()));
    world.policy.revision = revision("v1");
    for _ in 0..10 {
        world.pass(|_| true);
        world.tick();
    }
    assert_ne!(world.phase(), Some(AttemptPhase::Completed), "the raise may still land");
    world.until("completed", 100, |w| w.phase() == Some(AttemptPhase::Completed));
    assert_eq!(world.get("a").weight, 0);
    assert_eq!(world.lost, 0);
}

#[test]
fn superseding_in_the_middle_of_a_promotion_loses_nothing() {
    for delay in 0..8 {
        let mut world = fleet();
        release(&mut world, "v2");
        world.until("promoting", 200, |w| phase(w, "a") == MemberPhase::Promoting);
        for _ in 0..delay {
            world.step();
        }
        release(&mut world, "v3");
        world.until("v3 completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
        assert!(serves_everywhere(&world, "v3"));
        assert_eq!(world.lost, 0, "delay {delay}");
    }
}

#[test]
fn a_lost_status_is_never_a_first_deployment() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("half on v2", 200, |w| w.get("a").share(&revision("v2")) == 50);
    let number = world.journal.attempt.as_ref().unwrap().number;
    world.journal = lockflight_planner::Journal::default();
    world.last = None;
    world.step();
    world.until("back on v1", 20, |w| w.get("a").share(&revision("v2")) == 0);
    assert!(world.journal.attempt.as_ref().unwrap().number > number, "numbers never reset");
    world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v2"));
    assert_eq!(world.lost, 0);
    // The tombstone outlives the status.
    world.edit("a").bad.insert(revision("v3"));
    release(&mut world, "v3");
    world.until("aborted", 200, |w| w.phase() == Some(AttemptPhase::Aborted));
    world.journal = lockflight_planner::Journal::default();
    world.last = None;
    for _ in 0..20 {
        world.step();
    }
    assert_eq!(world.phase(), Some(AttemptPhase::Aborted));
    assert!(serves_everywhere(&world, "v2"));
}

#[test]
fn a_lost_status_starts_no_canary_on_a_weight_that_is_left() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("half on v2", 200, |w| w.get("a").share(&revision("v2")) == 50);
    world.journal = lockflight_planner::Journal::default();
    world.last = None;
    // The selectors are written first; the route only at another try.
    world.edit("a").route_locked = true;
    for _ in 0..4 {
        world.step();
    }
    assert_eq!(phase(&world, "a"), MemberPhase::Pending);
    world.edit("a").route_locked = false;
    world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v2"));
    assert_eq!(world.lost, 0);
}

#[test]
fn deletion_in_the_middle_leaves_stable_serving() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("half on v2", 200, |w| w.get("a").share(&revision("v2")) == 50);
    world.edit("b").reachable = false;
    world.deleting = true;
    world.until("gone", 100, |w| w.gone);
    assert!(serves_everywhere(&world, "v1"));
    assert_eq!(world.lost, 0);
}
