use super::*;

/// The weight was accepted at 100 s, and it is 300 s now.
const SINCE: i64 = 100;
const NOW: i64 = 300;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn pod(created: i64, last_run: Option<(i64, i64)>, backing_off: bool) -> PodFacts {
    PodFacts {
        created_at: at(created),
        restarts: u32::from(last_run.is_some()),
        last_run: last_run.map(|(started, ended)| crate::RunFacts {
            started_at: at(started),
            ended_at: at(ended),
            end: format!("ended at {ended}"),
        }),
        backing_off,
    }
}

/// Runs since before the weight.
fn sound() -> PodFacts {
    pod(50, None, false)
}

/// Has crashed once, and runs again.
fn once() -> PodFacts {
    pod(50, Some((60, 290)), false)
}

/// Has crashed again and waits.
fn looping() -> PodFacts {
    pod(50, Some((280, 290)), true)
}

fn of(parts: &[(usize, PodFacts)]) -> Vec<PodFacts> {
    parts.iter().flat_map(|(count, pod)| std::iter::repeat_n(pod.clone(), *count)).collect()
}

fn look(release: &[(usize, PodFacts)], stable: &[(usize, PodFacts)]) -> Crash {
    let arm = |parts: &[_]| Arm::count(&of(parts), at(SINCE), at(NOW));
    arm(release).beside(&arm(stable))
}

fn word(crash: &Crash) -> &'static str {
    match crash {
        Crash::None => "nothing",
        Crash::OfFew => "few",
        Crash::OfBoth => "both",
        Crash::OfRelease(_) => "release",
    }
}

#[test]
fn most_of_the_release_and_hardly_any_of_stable() {
    let cases = [
        (vec![(2, sound())], vec![(2, sound())], "nothing", "nothing crashes"),
        (vec![(1, once()), (9, sound())], vec![(2, sound())], "nothing", "one of ten, once"),
        (vec![(1, once())], vec![(9, sound())], "nothing", "the only pod, once"),
        (vec![(1, once()), (1, sound())], vec![(2, sound())], "nothing", "one of two, once"),
        (vec![(1, looping())], vec![(9, sound())], "release", "the only pod, again"),
        (vec![(2, once())], vec![(2, sound())], "release", "both pods, once"),
        (vec![(1, looping()), (1, sound())], vec![(2, sound())], "release", "half, again"),
        (vec![(5, once()), (5, sound())], vec![(9, sound())], "release", "half, once"),
        (vec![(4, once()), (6, sound())], vec![(9, sound())], "nothing", "less than half, once"),
        (vec![(1, looping()), (9, sound())], vec![(9, sound())], "few", "one of ten, again"),
        (vec![(10, looping())], vec![(10, sound())], "release", "all"),
        // Beside a stable that crashes too.
        (vec![(2, looping())], vec![(2, looping())], "both", "a shared outage"),
        (vec![(2, looping())], vec![(1, once()), (1, sound())], "both", "half as much"),
        (vec![(2, looping())], vec![(1, once()), (2, sound())], "release", "a third as much"),
        (vec![(2, once())], vec![(1, looping()), (9, sound())], "release", "one of stable's ten"),
        (vec![(2, sound())], vec![(2, looping())], "nothing", "stable alone"),
        (vec![(2, looping())], vec![], "release", "stable has no pod from before the weight"),
        (vec![], vec![], "nothing", "no pods"),
    ];
    for (release, stable, expect, what) in cases {
        let found = look(&release, &stable);
        assert_eq!(word(&found), expect, "{what}: {found:?}");
    }
}

#[test]
fn only_what_ended_lately_under_the_weight_counts() {
    let cases = [
        (pod(50, Some((60, 241)), false), (1, 0), "59 s ago"),
        (pod(50, Some((60, 240)), false), (0, 0), "60 s ago"),
        (pod(50, Some((60, 99)), false), (0, 0), "before the weight"),
        (pod(50, Some((60, 301)), false), (1, 0), "by a clock that is ahead"),
        (pod(100, Some((280, 290)), true), (0, 0), "a pod that came after the weight"),
        (pod(50, Some((60, 200)), true), (1, 0), "waits, after its first crash"),
        (pod(50, Some((180, 200)), true), (1, 1), "waits for long, after another crash"),
        (pod(50, Some((280, 290)), false), (1, 1), "runs again, after another crash"),
        (pod(50, None, true), (1, 0), "waits, and nothing is known of its run"),
    ];
    for (pod, expect, what) in cases {
        let arm = Arm::count(&[pod], at(SINCE), at(NOW));
        assert_eq!((arm.crashed, arm.looping), expect, "{what}");
    }
    let long = Arm::count(&[pod(50, Some((101, 701)), false)], at(SINCE), at(702));
    assert_eq!((long.crashed, long.looping), (1, 0), "ten minutes of running are no loop");
}

#[test]
fn the_sentence_names_how_many_how_often_and_how() {
    let mut first = looping();
    first.restarts = 4;
    let Crash::OfRelease(sentence) = look(&[(1, first), (1, once())], &[(3, sound())]) else {
        panic!("it is the release")
    };
    assert_eq!(
        sentence,
        "2 of 2 canary pods crashed under traffic within 60 s or wait for their next start (restarts: 5; ended at 290); stable: 0 of 3"
    );
}
