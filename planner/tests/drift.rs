//! Clusters that are done, and what becomes of them when somebody changes them by hand.

mod world;

use lockflight_planner::{AttemptPhase, MemberPhase, WaitReason};
use world::{World, fleet, phase, release, revision, serves_everywhere};

/// Somebody lets both Services of a cluster select a revision.
fn point(world: &mut World, name: &str, to: &str) {
    let cluster = world.edit(name);
    cluster.manager = Some("kubectl-patch".to_owned());
    cluster.point_services(&revision(to));
}

fn conflict(world: &World) -> Option<&str> {
    let waiting = &world.last.as_ref()?.waiting;
    let found = waiting.iter().find(|waiting| waiting.reason == WaitReason::TrafficConflict);
    found.map(|waiting| waiting.message.as_str())
}

#[test]
fn a_cluster_taken_back_by_hand_is_named_left_alone_and_holds_the_others() {
    for ending in ["put back", "aborted", "superseded"] {
        let mut world = fleet();
        release(&mut world, "v2");
        world.until("promoted in a", 400, |w| phase(w, "a") == MemberPhase::Promoted);
        point(&mut world, "a", "v1");
        let writes = world.get("a").log.len();
        for _ in 0..100 {
            world.step();
        }
        let said = conflict(&world).unwrap_or_default();
        assert!(
            said.starts_with("a: kubectl-patch changed the stable Service, which selects v1"),
            "{said}"
        );
        assert_eq!(world.get("a").log.len(), writes, "no fight");
        assert_eq!(world.get("b").share(&revision("v2")), 0, "no other cluster goes on");
        let (serves, end) = match ending {
            "put back" => {
                point(&mut world, "a", "v2");
                ("v2", AttemptPhase::Completed)
            }
            "aborted" => {
                world.commands.abort = Some("out".to_owned());
                ("v1", AttemptPhase::Aborted)
            }
            _ => {
                release(&mut world, "v3");
                ("v3", AttemptPhase::Completed)
            }
        };
        world.until(ending, 800, |w| w.phase() == Some(end));
        assert!(serves_everywhere(&world, serves), "{ending}");
        assert_eq!(conflict(&world), None, "{ending}");
        assert_eq!(world.lost, 0, "{ending}");
    }
}

#[test]
fn what_is_changed_by_hand_at_rest_is_named_and_taken_as_stable_by_the_next_attempt() {
    let mut world = fleet();
    release(&mut world, "v2");
    world.until("completed", 800, |w| w.phase() == Some(AttemptPhase::Completed));
    point(&mut world, "b", "v1");
    world.until("named", 10, |w| conflict(w).is_some());
    assert!(conflict(&world).is_some_and(|said| said.contains("or apply the revision")));
    // The old pods have no traffic of ours, but they have some.
    for _ in 0..100 {
        world.step();
    }
    assert!(world.get("b").deployments[&revision("v1")].replicas > 0);
    release(&mut world, "v1");
    world.until("completed again", 800, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v1"));
    assert_eq!((conflict(&world), world.lost), (None, 0));
}

#[test]
fn a_deployment_deleted_at_rest_is_made_again() {
    let mut world = fleet();
    world.edit("a").deployments.remove(&revision("v1"));
    world.until("made again", 50, |w| w.get("a").deployments.contains_key(&revision("v1")));
    // So it is where the status is lost as well: nothing serves, whatever the Services select.
    let is_ready = |w: &World| w.get("a").deployments[&revision("v1")].ready > 0;
    world.until("ready again", 50, is_ready);
    world.journal = lockflight_planner::Journal::default();
    world.last = None;
    world.edit("a").deployments.remove(&revision("v1"));
    world.step();
    assert_ne!(world.phase(), Some(AttemptPhase::Completed));
    world.until("completed", 100, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(is_ready(&world));
    // Of a revision that the spec does not have any more nobody knows the template.
    release(&mut world, "v2");
    for name in ["a", "b", "c"] {
        world.edit(name).bad.insert(revision("v2"));
    }
    world.until("aborted", 400, |w| w.phase() == Some(AttemptPhase::Aborted));
    world.edit("a").deployments.remove(&revision("v1"));
    world.step();
    world.step();
    let waiting = &world.last.as_ref().unwrap().waiting;
    assert!(
        waiting.iter().any(|waiting| waiting.reason == WaitReason::StableMissing),
        "{waiting:?}"
    );
}
