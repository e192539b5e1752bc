//! Corrections of how steps are paced, and beside each what the uncorrected rule would have done.
//! The fleet is a | b, c; the steps are 10, 50 and 100 %.

mod world;

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_planner::{MemberPhase, SETTLE, Standing, WaitReason};
use world::{Arrival, World, fleet, member, release};

/// Evidence that the last step wants at a chance of 5 %, and what leans against the release.
const BAR_LAST: f64 = 20.0;
const LITTLE: f64 = 0.49;

/// Lets every gate show e-values in favour of the release, and nothing against it.
fn show(world: &mut World, in_favour: f64) {
    world.says.standing = Some(Standing {
        windows: 8,
        first_window_at: None,
        against_ln: 0.0,
        in_favour_ln: in_favour.ln(),
    });
}

/// When the gate of a member's step opened.
fn opened(world: &mut World, name: &str, step: usize) -> DateTime<Utc> {
    let gate = |world: &World| {
        let gates = &world.last.as_ref()?.gates;
        let found = gates.iter().find(|gate| gate.member == member(name) && gate.step == step);
        found.map(|gate| gate.opened_at)
    };
    world.until("the gate is open", 400, |w| gate(w).is_some());
    gate(world).unwrap_or(world.now)
}

/// How long after its gate opened a step is over; none if that takes more than this.
fn length(world: &mut World, name: &str, step: usize, most: TimeDelta) -> Option<TimeDelta> {
    let opened = opened(world, name, step);
    while world.now - opened <= most {
        world.step();
        let journal = &world.journal.members[&member(name)];
        if (journal.phase, journal.step) != (MemberPhase::Canary, step) {
            return Some(world.now - opened);
        }
    }
    None
}

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

/// Whether a time is this one, and the passes that it takes to see it.
fn soon_after(found: Option<TimeDelta>, expect: TimeDelta) -> bool {
    found.is_some_and(|found| (expect..=expect + seconds(3)).contains(&found))
}

#[test]
fn row_05_a_step_ends_only_after_windows_of_its_own() {
    // 90 s of warm-up and windows of 15 s that are read after 30 s: the first one after 135 s.
    let arrival = |requests| Arrival {
        first_begins: seconds(90),
        length: seconds(15),
        behind: seconds(30),
        requests,
    };
    // Member, evidence, requests in a window, seconds until the step ends, and until it would by
    // minDwell or maxDwell from the opening of the gate.
    let cases = [
        ("b", 1000.0, 1000, 135 + 7 * 15, 60, "carried evidence, eight windows"),
        ("b", 1000.0, 5, 135 + 19 * 15, 60, "carried evidence, a hundred requests"),
        ("a", LITTLE, 1000, 90 + 300, 300, "by time: from its first window on"),
        ("a", LITTLE, 4, 135 + 24 * 15, 300, "by time: a hundred requests"),
    ];
    for (name, in_favour, requests, corrected, uncorrected, what) in cases {
        let mut world = fleet();
        world.policy.pacing.dwell_min = seconds(60);
        world.policy.pacing.dwell_max = seconds(300);
        world.policy.pacing.decision_deadline = seconds(3600);
        world.policy.progress_deadline = seconds(7200);
        show(&mut world, 1000.0);
        world.says.arrival = Some(arrival(1000));
        release(&mut world, "v2");
        world.until("the member starts", 4000, |w| {
            w.journal.members[&member(name)].phase == MemberPhase::Canary
        });
        show(&mut world, in_favour);
        world.says.arrival = Some(arrival(requests));
        let found = length(&mut world, name, 1, seconds(600));
        assert!(soon_after(found, seconds(corrected)), "{what}: {found:?}");
        // Then it has not seen enough, or nothing at all.
        let seen = arrival(requests).windows(seconds(uncorrected));
        assert!(uncorrected < corrected && (seen == 0 || name == "a"), "{what}: {seen}");
    }
}

#[test]
fn row_15_time_ends_a_step_only_in_the_first_wave_and_before_its_last_bar() {
    // Member, step, whether time ends it, and whether it would if it was only not the last step
    // of the first wave.
    let cases = [
        ("a", 1, true, true),
        ("a", 2, false, false),
        ("b", 1, false, true),
        ("b", 2, false, true),
    ];
    for (name, number, corrected, uncorrected) in cases {
        let mut world = fleet();
        show(&mut world, 1000.0);
        release(&mut world, "v2");
        opened(&mut world, name, number);
        show(&mut world, LITTLE);
        let found = length(&mut world, name, number, seconds(100));
        assert_eq!(found.is_some(), corrected, "{name} {number}: {found:?}");
        assert_eq!(!(name == "a" && number == 2), uncorrected, "{name} {number}");
    }
}

#[test]
fn row_15_a_later_wave_asks_what_is_shown_now() {
    let mut world = fleet();
    let shown = [25.0, 25.0, 19.0];
    show(&mut world, shown[0]);
    release(&mut world, "v2");
    opened(&mut world, "b", 2);
    show(&mut world, shown[2]);
    assert_eq!(length(&mut world, "b", 2, seconds(100)), None);
    let uncorrected = shown.into_iter().fold(0.0, f64::max);
    assert!(uncorrected >= BAR_LAST, "the most that was ever shown: {uncorrected}");
    show(&mut world, BAR_LAST);
    assert!(length(&mut world, "b", 2, seconds(200)).is_some());
}

#[test]
fn an_early_step_waits_only_for_what_leans_against_the_release() {
    // Member, step, evidence, whether its windows are enough to go on.
    let cases = [
        ("a", 1, 0.5, true),
        ("a", 1, LITTLE, false),
        ("a", 2, 19.0, false),
        ("a", 2, BAR_LAST, true),
        ("b", 1, 0.5, true),
        ("b", 1, LITTLE, false),
    ];
    for (name, number, in_favour, goes_on) in cases {
        let mut world = fleet();
        world.policy.pacing.dwell_max = seconds(300);
        show(&mut world, 1000.0);
        release(&mut world, "v2");
        opened(&mut world, name, number);
        show(&mut world, in_favour);
        let found = length(&mut world, name, number, seconds(100));
        assert_eq!(found.is_some(), goes_on, "{name} {number} {in_favour}: {found:?}");
    }
}

#[test]
fn row_15_the_decision_deadline_begins_at_the_end_of_the_bake() {
    // A deadline of 30 s. Without a bake it begins at the first window.
    for bake in [0, 20] {
        let mut world = fleet();
        world.policy.steps[1].bake_first = seconds(bake);
        show(&mut world, 1000.0);
        release(&mut world, "v2");
        let opened = opened(&mut world, "a", 2);
        show(&mut world, LITTLE);
        world.until("it is undecided", 200, |w| {
            let waits = w.last.as_ref().map_or(&[][..], |plan| &plan.waiting);
            waits.iter().any(|wait| wait.reason == WaitReason::Undecided)
        });
        let found = world.now - opened;
        // A gate opens when the new weight has settled; the bake begins with the weight.
        let corrected = if bake == 0 { seconds(30) } else { seconds(bake + 30) - SETTLE };
        assert!(soon_after(Some(found), corrected), "{bake}: {found}");
        let uncorrected = seconds(30);
        assert!(bake == 0 || found > uncorrected + seconds(10), "from the first window: {found}");
    }
}
