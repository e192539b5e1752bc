//! Releases whose pods crash under traffic. The metrics show nothing: what has died counts no
//! requests.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world;

use chrono::TimeDelta;
use lockflight_planner::{AttemptPhase, MemberPhase, WaitReason};
use proptest::{prelude::*, test_runner::RngSeed};
use world::{REPLICAS, World, member, phase, release, revision, serves_everywhere};

/// One cluster after the other, v2 at 50 % in the first.
fn half() -> World {
    let mut world = World::new(&[&["a"], &["b"]], &[50, 100]);
    world.until("v1", 200, |w| w.phase() == Some(AttemptPhase::Completed));
    world.lost = 0;
    // A step that does not pass by itself.
    world.policy.steps[0].samples = 1_000_000;
    release(&mut world, "v2");
    world.until("50 % are in force", 100, |w| {
        w.get("a").plane_weight == 50 && w.journal.members[&member("a")].acknowledged_at.is_some()
    });
    for _ in 0..10 {
        world.step();
    }
    world
}

fn crash(world: &mut World, of: &str, place: usize, ran: TimeDelta) {
    let now = world.now;
    let deployment = world.edit("a").deployments.get_mut(&revision(of));
    deployment.unwrap().crash(place, ran, now);
}

fn back_off(world: &mut World, of: &str, waits: bool) {
    let deployment = world.edit("a").deployments.get_mut(&revision(of)).unwrap();
    deployment.crashed.iter_mut().for_each(|pod| pod.backing_off = waits);
}

fn reason(world: &World) -> Option<&str> {
    world.journal.abort.as_ref().map(|abort| abort.reason.as_str())
}

fn waits(world: &World) -> bool {
    let plan = world.last.as_ref().unwrap();
    plan.waiting.iter().any(|waiting| waiting.reason == WaitReason::PodsCrashing)
}

/// A run from before the weight until now, and one that follows a crash.
const FIRST: TimeDelta = TimeDelta::minutes(5);
const AGAIN: TimeDelta = TimeDelta::seconds(2);

#[test]
fn a_release_whose_pods_crash_under_traffic_is_taken_back_at_once() {
    let mut world = half();
    crash(&mut world, "v2", 0, FIRST);
    world.step();
    assert_eq!(reason(&world), None, "one pod, once");
    crash(&mut world, "v2", 1, FIRST);
    world.step();
    assert_eq!(reason(&world), Some("CanaryCrashing"));
    let abort = world.journal.abort.clone().unwrap();
    assert_eq!((abort.member, abort.step), (Some(member("a")), Some(1)));
    assert!(abort.message.starts_with("a failed at step 1 (50 %): 2 of 2 canary pods crashed"));
    assert!(world.notices.iter().any(|notice| notice.starts_with("ClusterFailed: a failed")));
    world.until("back", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert!(serves_everywhere(&world, "v1"));
    assert_eq!(world.lost, 0);
}

#[test]
fn a_release_that_is_ready_again_after_each_crash_is_taken_back_too() {
    // Ready again after two ticks: never lost for 20 s, and the deadline begins anew each time.
    let mut world = half();
    let begun = world.now;
    for cycle in 0..10 {
        if reason(&world).is_some() {
            break;
        }
        crash(&mut world, "v2", 0, if cycle == 0 { FIRST } else { AGAIN });
        world.edit("a").deployments.get_mut(&revision("v2")).unwrap().ready = 1;
        back_off(&mut world, "v2", true);
        world.step();
        back_off(&mut world, "v2", false);
        for _ in 0..6 {
            world.step();
        }
    }
    assert_eq!(reason(&world), Some("CanaryCrashing"));
    assert!(world.now - begun < TimeDelta::seconds(10), "{}", world.now - begun);
}

#[test]
fn pods_of_both_revisions_that_crash_hold_the_release() {
    let mut world = half();
    for place in 0..2 {
        crash(&mut world, "v1", place, FIRST);
        crash(&mut world, "v2", place, FIRST);
    }
    // All else would let it pass.
    world.policy.steps[0].samples = 0;
    if let Some(plan) = &mut world.journal.plan {
        plan.steps[0].samples = 0;
    }
    let crashed_at = world.now;
    let mut held_until = world.now;
    for _ in 0..140 {
        world.step();
        if waits(&world) {
            held_until = world.now;
            assert_eq!(world.journal.members[&member("a")].step, 1);
        }
    }
    assert_eq!(reason(&world), None);
    let held = held_until - crashed_at;
    assert!(held >= TimeDelta::seconds(59) && held <= TimeDelta::seconds(61), "{held}");
    world.until("done", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v2"));
}

#[test]
fn pods_of_both_revisions_that_are_lost_hold_until_the_deadline() {
    let mut world = half();
    world.policy.progress_deadline = TimeDelta::minutes(2);
    for place in 0..2 {
        crash(&mut world, "v1", place, FIRST);
        crash(&mut world, "v2", place, FIRST);
    }
    for name in ["v1", "v2"] {
        back_off(&mut world, name, true);
    }
    let deployment = world.edit("a").deployments.get_mut(&revision("v2")).unwrap();
    deployment.broken = true;
    let begun = world.now;
    while world.now - begun < TimeDelta::seconds(110) {
        world.step();
        assert_eq!(reason(&world), None);
    }
    assert!(waits(&world));
    world.until("the deadline", 60, |w| reason(w) == Some("ProgressDeadlineExceeded"));
}

#[test]
fn a_release_that_crashes_after_its_promotion_goes_back_everywhere() {
    let mut world = World::new(&[&["a"], &["b"]], &[50, 100]);
    world.until("v1", 200, |w| w.phase() == Some(AttemptPhase::Completed));
    release(&mut world, "v2");
    world.until("b on trial", 200, |w| w.get("b").plane_weight == 50);
    assert_eq!(phase(&world, "a"), MemberPhase::Promoted);
    for place in 0..REPLICAS as usize {
        crash(&mut world, "v2", place, TimeDelta::milliseconds(100));
    }
    world.until("aborted", 100, |w| w.phase() == Some(AttemptPhase::Aborted));
    assert_eq!(reason(&world), Some("CanaryCrashing"));
    assert!(world.journal.abort.as_ref().unwrap().message.contains("a failed after its promotion"));
    assert!(serves_everywhere(&world, "v1"));
}

#[test]
fn a_few_pods_that_crash_again_and_again_hold_the_step() {
    let mut world = half();
    world.policy.replicas = 8;
    for name in ["v1", "v2"] {
        let deployment = world.edit("a").deployments.get_mut(&revision(name)).unwrap();
        (deployment.replicas, deployment.ready) = (8, 8);
    }
    for _ in 0..10 {
        world.step();
    }
    crash(&mut world, "v2", 0, AGAIN);
    world.step();
    assert_eq!((reason(&world), waits(&world)), (None, true));
}

/// What one pod went through: nothing, a first crash, another one; some time ago; and it waits.
fn history() -> impl Strategy<Value = (u8, i64, bool)> {
    (prop_oneof![3 => Just(0u8), 2 => Just(1), 2 => Just(2)], 0i64..90, any::<bool>())
}

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_some() {
        return config;
    }
    ProptestConfig { rng_seed: RngSeed::Fixed(20_261_126), ..config }
}

proptest! {
    #![proptest_config(config())]

    /// Total, and fair: whatever the pods went through, nothing moves forward while a pod of the
    /// release crashes again and again, and it is taken back only for what stable does not do.
    #[test]
    fn crashes_take_back_or_hold_and_never_raise(
        canary in proptest::collection::vec(history(), 2),
        stable in proptest::collection::vec(history(), REPLICAS as usize),
    ) {
        let mut world = half();
        // 90 s later, so that every crash was under the weight.
        world.now += TimeDelta::seconds(100);
        let now = world.now;
        for (name, pods) in [("v1", &stable), ("v2", &canary)] {
            for (place, (crashes, ago, waits)) in pods.iter().enumerate() {
                if *crashes == 0 {
                    continue;
                }
                let ran = if *crashes == 1 { FIRST } else { AGAIN };
                let at = now - TimeDelta::seconds(*ago);
                let deployments = &mut world.edit("a").deployments;
                let deployment = deployments.get_mut(&revision(name)).unwrap();
                deployment.crash(place, ran, at);
                deployment.crashed[place].backing_off = *waits;
            }
        }
        let crashed = |pods: &[(u8, i64, bool)]| {
            pods.iter().filter(|(crashes, ago, waits)| *crashes > 0 && (*waits || *ago < 60)).count()
        };
        let (of_canary, of_stable) = (crashed(&canary), crashed(&stable));
        let counts = |(crashes, ago, waits): &(u8, i64, bool)| match crashes {
            0 => 0,
            _ if !*waits && *ago >= 60 => 0,
            crashes => usize::from(*crashes),
        };
        let crashes: usize = canary.iter().map(counts).sum();
        let loops = canary.iter().any(|pod| counts(pod) == 2);
        // All else would let it pass.
        world.policy.steps[0].samples = 0;
        if let Some(plan) = &mut world.journal.plan {
            plan.steps[0].samples = 0;
        }
        world.step();
        world.step();
        let aborted = reason(&world) == Some("CanaryCrashing");
        let shared = of_stable > 0
            && of_stable * canary.len() * 2 >= of_canary * stable.len();
        prop_assert_eq!(aborted, of_canary * 2 >= canary.len() && crashes >= 2 && !shared);
        if aborted {
            prop_assert!(world.get("a").weight == 0 || world.journal.members[&member("a")].weight == 0);
        } else if loops {
            prop_assert!(waits(&world));
            prop_assert_eq!(world.journal.members[&member("a")].step, 1);
            prop_assert_eq!(world.journal.members[&member("a")].weight, 50);
        }
        world.until("rest", 900, |w| {
            let phase = w.phase();
            if phase == Some(AttemptPhase::Progressing) && w.now - now > TimeDelta::seconds(100) {
                return true;
            }
            matches!(phase, Some(AttemptPhase::Completed | AttemptPhase::Aborted))
        });
        if aborted {
            prop_assert!(serves_everywhere(&world, "v1"));
        }
    }
}
