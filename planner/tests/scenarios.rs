//! Scenarios that must hold, played on a fleet in memory.

mod world;

use lockflight_planner::{
    Action, Approval, AttemptPhase, MemberPhase, RollbackScope, SETTLE, UnreachableBudget,
};
use world::{REPLICAS, World, fleet, member, phase, release, revision, serves_everywhere};

#[test]
fn a_first_deployment_comes_up_by_waves() {
    let world = fleet();
    assert!(serves_everywhere(&world, "v1"));
    let moved =
        world.members.values().flat_map(|m| &m.log).any(|a| matches!(a, Action::SetWeight { .. }));
    assert!(!moved, "a first deployment moves no weights");
}

#[test]
fn a_healthy_release_goes_everywhere_and_the_old_pods_go_last() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("v2 completed", 400, |w| {
        let stands =
            w.members.values().all(|m| m.deployments[&revision("v1")].replicas == REPLICAS);
        assert!(stands || w.phase() == Some(AttemptPhase::Completed), "old pods went too early");
        w.phase() == Some(AttemptPhase::Completed)
    });
    world.until("v1 scaled down", 40, |w| {
        w.members.values().all(|m| m.deployments[&revision("v1")].ready == 0)
    });
    assert!(serves_everywhere(&world, "v2"));
    assert_eq!(world.lost, 0);
    let raises: Vec<u8> = world
        .get("a")
        .log
        .iter()
        .filter_map(|action| match action {
            Action::SetWeight { percent, .. } => Some(*percent),
            _ => None,
        })
        .collect();
    assert_eq!(raises, [10, 50, 100, 0], "each weight is written once");
}

#[test]
fn the_gateway_settles_before_a_promotion_ends_and_old_pods_get_their_delay() {
    let mut world = fleet();
    release(&mut world, "v2");
    let stable_moved = |w: &World| {
        w.get("a").stable.as_ref().is_some_and(|s| s.endpoints.contains_key(&revision("v2")))
    };
    world.until("the stable Service has v2's pods", 200, stable_moved);
    let moved_at = world.now;
    world.until("the weight is back", 20, |w| w.get("a").weight == 0);
    assert!(world.now - moved_at >= SETTLE, "{}", world.now - moved_at);
    world.until("v2 completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    let ended_at = world.now;
    world.until("v1 is scaled down", 40, |w| w.get("c").deployments[&revision("v1")].replicas == 0);
    assert!(world.now - ended_at >= world.policy.scale_down_delay, "{}", world.now - ended_at);
}

#[test]
fn at_rest_nothing_is_planned() {
    let mut world = fleet();
    for _ in 0..100 {
        world.step();
    }
    let journal = world.journal.clone();
    world.step();
    assert_eq!(world.journal, journal);
    assert_eq!(world.last.unwrap().actions, []);
}

#[test]
fn a_bad_release_is_stopped_in_the_first_member() {
    let mut world = fleet();
    for name in ["a", "b", "c"] {
        world.edit(name).bad.insert(revision("v2"));
    }
    release(&mut world, "v2");
    world.until("aborted", 200, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert!(serves_everywhere(&world, "v1"));
    assert!(!world.get("b").deployments.contains_key(&revision("v2")), "b never saw it");
    let abort = world.journal.abort.clone().unwrap();
    assert_eq!(abort.member, Some(member("a")));
    assert_eq!(abort.step, Some(1));
    assert_eq!(abort.metric.unwrap().0, "errors");
    assert_eq!(world.lost, 0);
}

#[test]
fn a_failure_in_the_second_wave_takes_finished_members_back_and_owes_the_unreachable() {
    let mut world = fleet();
    world.edit("b").bad.insert(revision("v2"));
    release(&mut world, "v2");
    world.until("a promoted", 200, |w| phase(w, "a") == MemberPhase::Promoted);
    world.until("b on trial", 200, |w| w.get("b").share(&revision("v2")) > 0);
    world.edit("a").reachable = false;
    world.until("aborted", 200, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(world.get("b").share(&revision("v1")), 100);
    assert_eq!(world.get("a").share(&revision("v2")), 100, "a is out of reach");
    let writes = world.get("a").log.len();
    world.edit("a").reachable = true;
    world.until("a back", 100, |w| phase(w, "a") == MemberPhase::RolledBack);
    assert!(
        matches!(&world.get("a").log[writes], Action::PointService { revision: to, aborted: Some(_), .. } if *to == revision("v1")),
        "the rollback is the first write: {:?}",
        &world.get("a").log[writes..]
    );
    assert!(serves_everywhere(&world, "v1"));
    assert_eq!(world.lost, 0);
}

#[test]
fn a_late_local_failure_goes_back_alone_and_a_budget_lets_the_others_go_on() {
    let mut world = World::new(&[&["a"], &["b"], &["c"], &["d"]], &[50, 100]);
    world.until("v1 completed", 300, |w| w.phase() == Some(AttemptPhase::Completed));
    world.edit("c").bad.insert(revision("v2"));
    let mut within_budget = world.clone();
    release(&mut world, "v2");
    world.until("aborted", 400, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(phase(&world, "a"), MemberPhase::Promoted);
    assert_eq!(phase(&world, "c"), MemberPhase::RolledBack);
    assert_eq!(phase(&world, "d"), MemberPhase::Pending);

    within_budget.policy.failed_max = 1;
    release(&mut within_budget, "v2");
    within_budget.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert_eq!(phase(&within_budget, "c"), MemberPhase::RolledBack);
    assert_eq!(phase(&within_budget, "d"), MemberPhase::Promoted);

    let mut fleet_scope = within_budget;
    fleet_scope.policy.failed_max = 0;
    fleet_scope.policy.rollback = RollbackScope::Fleet;
    fleet_scope.edit("c").bad.insert(revision("v3"));
    release(&mut fleet_scope, "v3");
    fleet_scope.until("aborted", 400, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(fleet_scope.get("a").share(&revision("v2")), 100, "a goes back to what it had");
    assert_eq!(fleet_scope.get("c").share(&revision("v1")), 100, "a mixed fleet stays mixed");
}

#[test]
fn an_unreachable_member_holds_or_is_skipped_as_the_budget_says() {
    for (budget, goes_on) in [(0, false), (1, true)] {
        let mut world = World::new(&[&["a", "b"], &["c"]], &[50, 100]);
        world.until("v1 completed", 300, |w| w.phase() == Some(AttemptPhase::Completed));
        world.policy.unreachable = UnreachableBudget::Fixed(budget);
        release(&mut world, "v2");
        world.until("on trial", 100, |w| w.get("a").share(&revision("v2")) > 0);
        world.edit("a").reachable = false;
        for _ in 0..200 {
            world.step();
        }
        assert_eq!(world.get("c").share(&revision("v2")) == 100, goes_on, "budget {budget}");
        assert_ne!(world.phase(), Some(AttemptPhase::Completed));
        assert!(world.journal.members[&member("a")].unknown_since.is_some());
        world.edit("a").reachable = true;
        world.until("completed", 400, |w| w.phase() == Some(AttemptPhase::Completed));
        assert!(serves_everywhere(&world, "v2"));
        assert_eq!(world.lost, 0);
    }
}

#[test]
fn a_foreign_weight_is_named_and_not_fought_and_abort_still_works() {
    let mut world = fleet();
    world.policy.gated = false;
    world.policy.steps[1].approval = Approval::Before;
    release(&mut world, "v2");
    world.until("on trial", 100, |w| w.get("a").share(&revision("v2")) == 10);
    world.edit("a").manager = Some("argocd".to_owned());
    world.edit("a").set_weight(70);
    let writes = world.get("a").log.len();
    for _ in 0..30 {
        world.step();
    }
    assert_eq!(world.get("a").weight, 70);
    assert_eq!(world.get("a").log.len(), writes, "no fight");
    assert!(world.notices.iter().any(|n| n.starts_with("TrafficConflict") && n.contains("argocd")));
    world.edit("a").route_locked = true;
    world.commands.abort = Some("out".to_owned());
    world.until("aborted", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(world.get("a").share(&revision("v2")), 0, "the selectors alone take it off");
}

#[test]
fn pods_that_never_get_ready_fail_at_the_deadline() {
    let mut world = fleet();
    world.edit("a").broken.insert(revision("v2"));
    release(&mut world, "v2");
    world.until("aborted", 200, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(world.journal.abort.as_ref().unwrap().reason, "ProgressDeadlineExceeded");
    assert!(serves_everywhere(&world, "v1"));
    assert_eq!(world.lost, 0);
}
