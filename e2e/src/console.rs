//! Pages of the documentation that are followed to the letter.
//!
//! A fence ` ```yaml NAME ` is a file that the reader saves. A fence ` ```console ` holds commands
//! behind `$ ` (a line that ends with `\` goes on), each followed by what it prints. A line `...`
//! stands for any lines, and `...` within a line for any text. Numbers and hashes may differ.

use anyhow::{bail, ensure};

/// Stands for anything.
const ANYTHING: &str = "...";
/// Words of so many hexadecimal digits, with a number among them, are names of revisions.
const HASH_LENGTH_MIN: usize = 8;

/// What the reader does, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Save a file.
    Save {
        /// Its name.
        name: String,
        /// What is in it.
        content: String,
    },
    /// Run a command.
    Run {
        /// Where it stands on the page, from 1.
        line: usize,
        /// As the shell gets it.
        command: String,
        /// What the page says that it prints.
        expected: Vec<String>,
    },
}

/// The steps of a page.
pub fn steps(page: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let mut body = Vec::new();
        loop {
            let Some((at, line)) = lines.next() else {
                bail!("line {}: the fence is never closed", index + 1);
            };
            if line.starts_with("```") {
                break;
            }
            body.push((at + 1, line));
        }
        match language.split_once(' ').map_or((language, ""), |(word, rest)| (word, rest.trim())) {
            ("yaml", name) if !name.is_empty() => {
                let lines: Vec<&str> = body.iter().map(|(_, line)| *line).collect();
                let content = lines.join("\n") + "\n";
                steps.push(Step::Save { name: name.to_owned(), content });
            }
            ("console", _) => steps.extend(session(&body)?),
            _ => {}
        }
    }
    Ok(steps)
}

fn session(body: &[(usize, &str)]) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::<Step>::new();
    let mut goes_on = false;
    for (line, text) in body {
        if goes_on && let Some(Step::Run { command, .. }) = steps.last_mut() {
            command.push('\n');
            command.push_str(text);
            goes_on = text.ends_with('\\');
        } else if let Some(command) = text.strip_prefix("$ ") {
            goes_on = command.ends_with('\\');
            let command = command.to_owned();
            steps.push(Step::Run { line: *line, command, expected: Vec::new() });
        } else if let Some(Step::Run { expected, .. }) = steps.last_mut() {
            expected.push((*text).to_owned());
        } else {
            bail!("line {line}: a console begins with a command behind `$ `");
        }
    }
    Ok(steps)
}

/// Fails unless the output is what the page says; names the first line that was not found.
pub fn compare(expected: &[String], output: &str) -> anyhow::Result<()> {
    let output: Vec<&str> = output.lines().map(str::trim_end).collect();
    let mut at = 0;
    let mut anywhere = false;
    for wanted in expected.iter().map(|line| line.trim_end()) {
        if wanted.trim() == ANYTHING {
            anywhere = true;
            continue;
        }
        let rest = output.get(at..).unwrap_or_default();
        let reach = if anywhere { rest.len() } else { rest.len().min(1) };
        let found = rest.iter().take(reach).position(|line| is_like(wanted, line));
        let Some(found) = found else {
            bail!("not printed (or not here): {wanted:?}");
        };
        (at, anywhere) = (at + found + 1, false);
    }
    let rest = output.get(at..).unwrap_or_default();
    ensure!(anywhere || rest.is_empty(), "printed, and not on the page: {:?}", rest.first());
    Ok(())
}

/// Whether a line is that of the page but for numbers, hashes and what `...` stands for.
fn is_like(wanted: &str, line: &str) -> bool {
    let (wanted, line) = (masked(wanted), masked(line));
    let Some((first, parts)) = wanted.split_once(ANYTHING) else {
        return wanted == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.split(ANYTHING).collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// With every number as `0`, every hash as `0`, and every run of spaces as one: columns move with
/// what stands in them.
fn masked(line: &str) -> String {
    let mut text = String::new();
    for word in line.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        for (index, part) in word.split('-').enumerate() {
            if index > 0 {
                text.push('-');
            }
            mask(part, &mut text);
        }
    }
    text
}

fn mask(part: &str, text: &mut String) {
    let core = part.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_hash = core.len() >= HASH_LENGTH_MIN
        && core.chars().all(|c| c.is_ascii_hexdigit())
        && core.contains(|c: char| c.is_ascii_digit());
    let part = if is_hash { part.replacen(core, "0", 1) } else { part.to_owned() };
    let mut in_number = false;
    for c in part.chars() {
        let is_digit = c.is_ascii_digit();
        if !(is_digit && in_number) {
            text.push(if is_digit { '0' } else { c });
        }
        in_number = is_digit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_commands_in_their_order() {
        let page = "text\n```yaml a.yaml\na: 1\n```\n```yaml\nb: 2\n```\n```sh\nignored\n```\n\
                    ```console\n$ one \\\n    more\nout\n$ two\n```\n";
        let run = |line, command: &str, expected: &[&str]| Step::Run {
            line,
            command: command.to_owned(),
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
        };
        let save = Step::Save { name: "a.yaml".to_owned(), content: "a: 1\n".to_owned() };
        let expected = [save, run(12, "one \\\n    more", &["out"]), run(15, "two", &[])];
        assert_eq!(steps(page).unwrap(), expected);
        assert!(steps("```console\nno command\n```").is_err());
        assert!(steps("```console\n$ a").is_err());
    }

    #[test]
    fn numbers_hashes_and_dots_stand_for_others() {
        let table = [
            ("done", "done", true),
            ("done", "gone", false),
            ("took 4m, 3 ready", "took 51m,   12 ready", true),
            ("revision 618e741e25", "revision 7a1b2c3d4e", true),
            ("app-7a1b2c3d4e-x", "app-618e741e25-x", true),
            ("revision 618e741e25", "revision unknown", false),
            ("a ... b ... c", "a 1 b 2 c", true),
            ("a ... b ... c", "a 1 c", false),
            ("... end", "any end", true),
            ("start ...", "other", false),
        ];
        for (wanted, line, like) in table {
            assert_eq!(is_like(wanted, line), like, "{wanted} / {line}");
        }
    }

    #[test]
    fn lines_follow_one_another_unless_dots_stand_between() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let table = [
            ("a\nb", "a\nb\n", true),
            ("a\nb", "a\nx\nb\n", false),
            ("a\n...\nb", "a\nx\nb\n", true),
            ("a\n...\nb", "a\nb\n", true),
            ("a", "a\nx\n", false),
            ("a\n...", "a\nx\n", true),
            ("", "", true),
            ("", "x\n", false),
            ("a", "", false),
        ];
        for (expected, output, good) in table {
            assert_eq!(compare(&lines(expected), output).is_ok(), good, "{expected:?} {output:?}");
        }
    }
}
