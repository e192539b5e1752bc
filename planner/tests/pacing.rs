//! Steps that end by evidence, by time, or not at all. The fleet is a | b, c; the steps are
//! 10, 50 and 100 %; a step dwells 2 s at least, may end by time after 10 s and is undecided
//! after 30 s.

mod world;

use chrono::TimeDelta;
use lockflight_planner::{AttemptPhase, MemberPhase, RollbackScope, Standing, Verdict, WaitReason};
use world::{World, fleet, member, phase, release, serves_everywhere};

/// Lets every gate show e-values in favour of the release and against it.
fn show(world: &mut World, in_favour: f64, against: f64) {
    world.says.standing = Some(Standing {
        windows: 8,
        first_window_at: None,
        against_ln: against.ln(),
        in_favour_ln: in_favour.ln(),
    });
}

fn step(world: &World, name: &str) -> (MemberPhase, usize) {
    let journal = &world.journal.members[&member(name)];
    (journal.phase, journal.step)
}

fn waits_for(world: &World, reason: WaitReason) -> bool {
    world.last.as_ref().is_some_and(|plan| plan.waiting.iter().any(|w| w.reason == reason))
}

/// Ticks of half a second until the step of a member is over; none if it never is.
fn ticks_of_step(world: &mut World, name: &str, number: usize) -> Option<usize> {
    world.until("the step is in force", 60, |w| {
        let journal = &w.journal.members[&member(name)];
        journal.step == number && journal.acknowledged_at.is_some()
    });
    (0..200).find(|_| {
        world.step();
        step(world, name) != (MemberPhase::Canary, number)
    })
}

#[test]
fn a_step_ends_by_evidence_by_time_or_not_at_all() {
    // Evidence for and against, the step, and how many ticks it lasts at least and at most.
    let cases = [
        (20.0, 1.0, 1, Some(4..=10), "the last bar is reached: only the least time"),
        (0.5, 1.0, 1, Some(4..=10), "an early step asks for no more than this"),
        (0.49, 1.0, 1, Some(20..=26), "leans against it, no evidence of it: ends by time"),
        (0.49, 3.1, 1, None, "leans against it, and something speaks against it"),
        (20.0, 3.1, 1, None, "whatever speaks for it, something speaks against it"),
        (5.0, 1.0, 2, None, "the last step before 100 % needs the full bar"),
        (20.0, 1.0, 2, Some(4..=10), "and passes with it"),
    ];
    for (in_favour, against, number, expect, what) in cases {
        let mut world = fleet();
        show(&mut world, 20.0, 1.0);
        release(&mut world, "v2");
        world.until("the step before", 100, |w| step(w, "a") == (MemberPhase::Canary, number));
        show(&mut world, in_favour, against);
        let ticks = ticks_of_step(&mut world, "a", number);
        match (ticks, &expect) {
            (Some(ticks), Some(range)) => assert!(range.contains(&ticks), "{what}: {ticks} ticks"),
            (None, None) => assert!(waits_for(&world, WaitReason::Undecided), "{what}"),
            _ => panic!("{what}: {ticks:?}, expected {expect:?}"),
        }
    }
}

#[test]
fn what_is_not_shown_yet_watches_and_has_not_passed() {
    for number in [1, 2] {
        for (in_favour, expect) in [(19.0, Verdict::Watch), (20.0, Verdict::Pass)] {
            let mut world = fleet();
            show(&mut world, 20.0, 1.0);
            release(&mut world, "v2");
            world.until("the step", 100, |w| step(w, "a") == (MemberPhase::Canary, number));
            show(&mut world, in_favour, 1.0);
            let told = |w: &World| {
                let verdict = w.journal.members[&member("a")].verdict.as_ref();
                let told = verdict.filter(|_| step(w, "a").1 == number)?;
                told.evidence.map(|_| told.verdict)
            };
            world.until("a verdict on the step", 60, |w| told(w).is_some());
            assert_eq!(told(&world), Some(expect), "step {number}, {in_favour} in favour");
        }
    }
}

#[test]
fn later_waves_hold_when_the_carried_evidence_is_lost() {
    let mut world = fleet();
    show(&mut world, 25.0, 1.0);
    release(&mut world, "v2");
    world.until("b starts", 200, |w| step(w, "b") == (MemberPhase::Canary, 1));
    show(&mut world, 0.49, 1.0);
    assert_eq!(ticks_of_step(&mut world, "b", 1), None, "no time-out in a later wave");
    show(&mut world, 19.0, 1.0);
    assert_eq!(ticks_of_step(&mut world, "b", 2), None, "not to 100 % with less than the bar");
    show(&mut world, 20.0, 1.0);
    world.until("done", 400, |w| w.phase() == Some(AttemptPhase::Completed));
    assert!(serves_everywhere(&world, "v2"));
}

#[test]
fn a_step_looks_at_its_own_cluster_whatever_was_shown_before() {
    for (windows, reason) in
        [(0, WaitReason::CollectingSamples), (7, WaitReason::CollectingSamples)]
    {
        let mut world = fleet();
        show(&mut world, 1000.0, 0.1);
        world.says.standing = world.says.standing.map(|standing| Standing { windows, ..standing });
        release(&mut world, "v2");
        assert_eq!(ticks_of_step(&mut world, "a", 1), None, "{windows} windows");
        assert!(waits_for(&world, reason));
    }
}

#[test]
fn a_person_may_overrule_undecided_evidence_but_not_missing_data() {
    let mut world = fleet();
    show(&mut world, 1.0, 3.5);
    release(&mut world, "v2");
    world.until("undecided", 200, |w| waits_for(w, WaitReason::Undecided));
    assert!(world.notices.iter().any(|notice| notice.starts_with("Undecided")));
    let tokens: Vec<String> = world.shown_tokens.iter().cloned().collect();
    assert_eq!(tokens.len(), 1);

    let mut blind = world.clone();
    blind.says.verdict = Some(Verdict::NoData);
    blind.commands.promote = tokens.first().cloned();
    for _ in 0..40 {
        blind.step();
    }
    assert_eq!(step(&blind, "a"), (MemberPhase::Canary, 1), "no data holds");

    world.commands.promote = tokens.first().cloned();
    world.until("a goes on", 20, |w| step(w, "a") == (MemberPhase::Canary, 2));
}

#[test]
fn a_person_may_let_an_inconclusive_step_pass() {
    let mut world = fleet();
    show(&mut world, 1.0, 100.0);
    release(&mut world, "v2");
    world.says.verdict = Some(Verdict::NoData);
    world.says.undecided = true;
    world.until("undecided", 200, |w| waits_for(w, WaitReason::Undecided));
    let tokens: Vec<String> = world.shown_tokens.iter().cloned().collect();
    assert_eq!(tokens.len(), 1);
    for _ in 0..100 {
        world.step();
    }
    assert_eq!(step(&world, "a"), (MemberPhase::Canary, 1), "time alone opens nothing");
    world.commands.promote = tokens.first().cloned();
    world.until("a goes on", 20, |w| step(w, "a") == (MemberPhase::Canary, 2));
    // The next step has to be let pass anew.
    world.until("undecided again", 200, |w| waits_for(w, WaitReason::Undecided));
    assert_eq!(step(&world, "a"), (MemberPhase::Canary, 2));
}

#[test]
fn evidence_is_written_when_it_has_moved_and_not_with_every_measurement() {
    let mut world = fleet();
    show(&mut world, (-2.0_f64).exp(), 1.0);
    release(&mut world, "v2");
    world.until("a is judged", 100, |w| w.journal.members[&member("a")].verdict.is_some());
    let mut journals = vec![world.journal.clone()];
    // From E = e^-2 to e^-1.1 in small steps: less than a nat, and below the step's bar.
    for tenth in -20..=-11 {
        show(&mut world, (f64::from(tenth) / 10.0).exp(), 1.0);
        world.pass(|_| true);
        journals.push(world.journal.clone());
    }
    journals.dedup();
    assert_eq!(journals.len(), 1, "no write for less than a nat");
    show(&mut world, (-0.99_f64).exp(), 1.0);
    world.pass(|_| true);
    assert_ne!(journals.last(), Some(&world.journal), "a nat is written");
}

#[test]
fn what_the_clusters_show_together_takes_the_release_back_everywhere() {
    for (together, expected) in [(true, MemberPhase::RolledBack), (false, MemberPhase::Promoted)] {
        let mut world = World::new(&[&["a"], &["b"], &["c"]], &[10, 50, 100]);
        world.until("v1", 200, |w| w.phase() == Some(AttemptPhase::Completed));
        // A budget for failures of single places does not cover a bad release.
        world.policy.failed_max = 1;
        world.policy.rollback = RollbackScope::Auto;
        world.says.together = together;
        world.edit("c").bad.insert(world::revision("v2"));
        release(&mut world, "v2");
        world.until("c is back", 400, |w| phase(w, "c") == MemberPhase::RolledBack);
        for _ in 0..40 {
            world.step();
        }
        assert_eq!(phase(&world, "a"), expected, "together: {together}");
        assert_eq!(world.lost, 0);
        assert!(world.now - world.journal.members[&member("a")].since < TimeDelta::minutes(10));
    }
}

#[test]
fn a_canary_that_loses_most_of_its_pods_under_traffic_is_taken_back_soon() {
    for (broken, lost) in [(true, true), (false, false)] {
        let mut world = World::new(&[&["a"]], &[50, 100]);
        world.policy.progress_deadline = TimeDelta::minutes(10);
        world.until("v1", 200, |w| w.phase() == Some(AttemptPhase::Completed));
        show(&mut world, 1.0, 1.0);
        release(&mut world, "v2");
        world.until("50 % are in force", 100, |w| w.get("a").plane_weight == 50);
        let v2 = world::revision("v2");
        if let Some(deployment) = world.edit("a").deployments.get_mut(&v2) {
            deployment.broken = broken;
        }
        let begun = world.now;
        while world.now - begun < TimeDelta::seconds(25) {
            world.step();
        }
        let aborted = world.journal.abort.as_ref().map(|abort| abort.reason.as_str());
        assert_eq!(aborted, lost.then_some("CanaryNotReady"));
    }
}
