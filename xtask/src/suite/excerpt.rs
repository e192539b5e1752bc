//! What of a failed stage's log a person needs to see, where the log itself is out of reach.

/// Lines of the end of a log that are shown when no test says what failed.
const TAIL_LINES: usize = 60;

/// Lines of one failed test; a longer one is cut in its middle, since a panic says what happened at
/// its start and a log of events ends with it.
const TEST_LINES: usize = 60;

/// Failed tests whose output is shown; the names of all of them are.
const TESTS_MAX: usize = 10;

/// The output of each failed test and the names of all of them, or else the log's end.
pub(super) fn excerpt(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let failed: Vec<&str> = lines
        .iter()
        .filter_map(|line| {
            let of_cargo = line.strip_prefix("test ").and_then(|line| line.strip_suffix("FAILED"));
            of_cargo.or_else(|| line.strip_prefix(NODE))
        })
        .collect();
    let mut shown: Vec<String> = outputs(&lines).into_iter().take(TESTS_MAX).map(cut).collect();
    if failed.is_empty() && shown.is_empty() {
        return lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    }
    shown.extend(failed.iter().map(|name| format!("FAILED {}", name.trim_end_matches([' ', '.']))));
    shown.join("\n")
}

/// How Node's test runner begins what it says of a failed test.
const NODE: &str = "not ok ";

/// How it ends.
const NODE_END: &str = "  ...";

/// What libtest prints of each failed test, from `---- NAME stdout ----` on, and Node's test
/// runner from `not ok NUMBER - NAME`.
fn outputs<'a, 'b>(lines: &'a [&'b str]) -> Vec<&'a [&'b str]> {
    let is_start =
        |line: &str| line.starts_with(NODE) || line.starts_with("---- ") && line.ends_with(" ----");
    let starts: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| is_start(line)).map(|(at, _)| at).collect();
    let end_of = |start: usize| {
        let rest = &lines[start + 1..];
        let is_end = |line: &str| line == "failures:" || line == NODE_END;
        let length = rest.iter().position(|line| is_start(line) || is_end(line));
        start + 1 + length.unwrap_or(rest.len())
    };
    starts.into_iter().map(|start| &lines[start..end_of(start)]).collect()
}

fn cut(lines: &[&str]) -> String {
    if lines.len() <= TEST_LINES {
        return lines.join("\n").trim_end().to_owned();
    }
    let (head, tail) = (&lines[..TEST_LINES / 2], &lines[lines.len() - TEST_LINES / 2..]);
    let left_out = lines.len() - TEST_LINES;
    format!("{}\n... {left_out} lines ...\n{}", head.join("\n"), tail.join("\n").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: &str = "\
running 3 tests
test a::fine ... ok
test b::red ... FAILED
test c::red ... FAILED

failures:

---- b::red stdout ----
thread 'b::red' panicked at src/b.rs:3:5:
left: 1

---- c::red stdout ----
no proof

failures:
    b::red
    c::red

test result: FAILED. 1 passed; 2 failed; 0 ignored
     Running another
test d::fine ... ok
";

    #[test]
    fn a_failed_test_is_shown_wherever_it_stands() {
        let shown = excerpt(RED);
        assert!(shown.contains("panicked at src/b.rs:3:5:\nleft: 1\n"), "{shown}");
        assert!(shown.contains("no proof\nFAILED b::red\nFAILED c::red"), "{shown}");
        assert!(!shown.contains("fine"), "{shown}");
    }

    #[test]
    fn tests_of_node_are_shown_likewise() {
        let log = "ok 1 - fine\nnot ok 2 - red\n  ---\n  error: no such row\n  ...\nok 3 - good\n";
        let shown = excerpt(log);
        assert!(shown.contains("error: no such row\nFAILED 2 - red"), "{shown}");
        assert!(!shown.contains("good"), "{shown}");
    }

    #[test]
    fn without_a_failed_test_the_end_is_shown() {
        let log: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
        let shown = excerpt(&log.join("\n"));
        assert!(shown.starts_with("line 40\n") && shown.ends_with("line 99"), "{shown}");
    }

    #[test]
    fn a_long_output_keeps_its_start_and_its_end() {
        let events: Vec<String> = (0..500).map(|event| format!("event {event}")).collect();
        let events = events.join("\n");
        let shown = excerpt(&format!("---- long stdout ----\npanicked\n{events}\nfailures:\n"));
        assert!(shown.contains("panicked") && shown.contains("event 499"), "{shown}");
        assert!(shown.contains("... 442 lines ...") && shown.lines().count() == 61, "{shown}");
    }
}
