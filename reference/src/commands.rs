//! The command lines of both programs, from their parsers.

use std::{collections::BTreeMap, fmt::Write as _};

use clap::{Arg, Command, CommandFactory as _};

use crate::cell;

/// Pages by their path.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let plugin = page(
        "kubectl lockflight",
        "The plugin is the program `kubectl-lockflight` on your PATH. What its commands do to a \
         Rollout: [commands](commands.md).",
        kubectl_lockflight::Arguments::command(),
    );
    let hub = page(
        "lockflight",
        "The hub's program. Logs are JSON on standard error; `LOCKFLIGHT_LOG` sets their level, \
         for example `info` or `lockflight=debug`.",
        lockflight::arguments::Arguments::command(),
    );
    BTreeMap::from([
        ("docs/reference/kubectl-lockflight.md".to_owned(), plugin),
        ("docs/reference/lockflight.md".to_owned(), hub),
    ])
}

fn page(title: &str, introduction: &str, mut command: Command) -> String {
    command.build();
    let mut page = format!("# {title}\n\n{introduction}\n\n");
    let global: Vec<&Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).collect();
    if !global.is_empty() {
        page.push_str("## Options of every command\n\n");
        arguments(&global, &mut page);
    }
    for subcommand in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(title, subcommand, &mut page);
    }
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(page, "## In every case\n\n{after}");
    }
    page.trim_end().to_owned() + "\n"
}

fn section(program: &str, command: &Command, page: &mut String) {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let positionals: Vec<String> = command
        .get_positionals()
        .map(|arg| if arg.is_required_set() { value(arg) } else { format!("[{}]", value(arg)) })
        .collect();
    let mut usage = format!("{program} {name}");
    for positional in &positionals {
        let _ = write!(usage, " {positional}");
    }
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    if own.iter().any(|arg| !arg.is_positional()) {
        usage.push_str(" [OPTIONS]");
    }
    let _ = writeln!(page, "## {name}\n\n{about}.\n\n```text\n{usage}\n```\n");
    if !own.is_empty() {
        arguments(&own, page);
    }
}

fn arguments(arguments: &[&Arg], page: &mut String) {
    page.push_str("| Argument | Meaning |\n|---|---|\n");
    for arg in arguments.iter().filter(|arg| !arg.is_hide_set()) {
        let _ = writeln!(page, "| {} | {} |", written(arg), meaning(arg));
    }
    page.push('\n');
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().map(|names| names.join(" "));
    names.unwrap_or_else(|| arg.get_id().as_str().to_uppercase())
}

fn written(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values().then(|| value(arg));
    let mut words = Vec::new();
    words.extend(arg.get_short().map(|short| format!("-{short}")));
    words.extend(arg.get_long().map(|long| format!("--{long}")));
    let mut text = words.join(", ");
    if let Some(takes) = takes {
        text = if text.is_empty() { takes } else { format!("{text} {takes}") };
    }
    format!("`{}`", text.replace('|', "\\|"))
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(|help| cell(&help.to_string())).unwrap_or_default();
    if !text.ends_with(['.', ']']) {
        text.push('.');
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| {
            let help = value.get_help().map(|help| cell(&help.to_string()));
            let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!("`{}`{help}", value.get_name())
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    if arg.is_required_set() && !arg.is_positional() {
        text.push_str(" Required.");
    }
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let defaults: Vec<_> = defaults.filter(|value| !value.is_empty()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, " Default: `{}`.", cell(&defaults.join(",")));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, " Variable: `{}`.", variable.to_string_lossy());
    }
    text
}
