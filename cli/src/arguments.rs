//! The command line.

mod trust;

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub(crate) use trust::{Aa, Analysis, Compare, Past, Plan, Provided, Replay};

const AFTER_HELP: &str = "\
Exit codes: 0 ok or completed, 1 error, 2 usage, 3 aborted, 4 paused or awaiting approval, 5 timeout.
Data goes to standard output, everything else to standard error.";

/// See, promote and abort rollouts that move through many clusters.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-lockflight",
    bin_name = "kubectl lockflight",
    version,
    after_help = AFTER_HELP
)]
pub struct Arguments {
    /// Where and how.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Context of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file of the hub [default: $KUBECONFIG, then ~/.kube/config].
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of the rollout [default: the context's].
    #[arg(long, short, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// How long one request may take.
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub request_timeout: Duration,
    /// Whether to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Draw with ASCII characters only.
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that knows them, unless the environment has `NO_COLOR`.
    #[value(help = "On a terminal that knows them, unless NO_COLOR is set")]
    Auto,
    /// Even into a file.
    Always,
    /// Not at all.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a rollout: waves, clusters, shares, verdicts, and why it waits.
    Get(Get),
    /// List rollouts.
    List(List),
    /// Tell how a rollout stands by the exit code, for scripts.
    Status(Status),
    /// Open gates that wait for approval.
    Promote(Promote),
    /// Take a rollout back: every cluster returns to what it served before.
    Abort(Abort),
    /// Stop forward movement; going back is never stopped.
    Pause(Named),
    /// End a pause.
    Resume(Named),
    /// Try an aborted revision again.
    Retry(Named),
    /// Show the fleet in a browser on this machine, with your own rights.
    Dashboard(Dashboard),
    /// Show the evidence of a rollout: against it, in its favour, by metric and cluster.
    Analysis(Analysis),
    /// Show what a rollout will do: waves, steps, times, and what its gates can see.
    Plan(Plan),
    /// Judge recorded windows again.
    Replay(Replay),
    /// Judge stable against itself: false aborts to expect, and time to detect.
    Aa(Aa),
}

/// A rollout.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the rollout.
    pub name: String,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// Name of the rollout.
    pub name: String,
    /// Keep watching; Ctrl-C ends.
    #[arg(long, short)]
    pub watch: bool,
    /// Form of the output.
    #[arg(long, short, value_enum, default_value_t = GetOutput::Tree)]
    pub output: GetOutput,
}

/// Forms of `get`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GetOutput {
    /// For people.
    Tree,
    /// A `RolloutView`; with --watch one line per change.
    #[value(help = "A RolloutView; with --watch one line per change")]
    Json,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// In every namespace.
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Only rollouts with these labels, for example team=shop.
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub selector: Option<String>,
    /// Form of the output [default: a table].
    #[arg(long, short, value_enum)]
    pub output: Option<ListOutput>,
}

/// Forms of `list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// With the plan's estimate, what is waited for, and the message.
    Wide,
    /// A `RolloutViewList`.
    #[value(help = "A RolloutViewList")]
    Json,
    /// Names only.
    Name,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Name of the rollout.
    pub name: String,
    /// Wait, with one line per change.
    #[arg(long, short)]
    pub watch: bool,
    /// What to wait for (implies --watch).
    #[arg(long, value_enum, value_name = "STATE")]
    pub until: Option<Until>,
    /// How long to wait at most.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = span)]
    pub timeout: Duration,
    /// Form of the output [default: text].
    #[arg(long, short, value_enum)]
    pub output: Option<StatusOutput>,
}

/// What `status` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Completed; approvals and pauses are waited out.
    Completed,
    /// Paused, awaiting approval or completed, which exit with 0.
    Paused,
    /// Anything that does not change by itself.
    Any,
}

/// Forms of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// The last `RolloutView`.
    #[value(help = "The last RolloutView")]
    Json,
}

/// Arguments of `promote`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").multiple(false))]
pub struct Promote {
    /// Name of the rollout.
    pub name: String,
    /// The gates of this cluster.
    #[arg(long, value_name = "NAME", group = "which")]
    pub cluster: Option<String>,
    /// The gate with this token.
    #[arg(long, value_name = "TOKEN", group = "which")]
    pub token: Option<String>,
    /// Every gate that waits now.
    #[arg(long, group = "which")]
    pub all: bool,
}

/// Arguments of `abort`.
#[derive(Debug, Args)]
pub struct Abort {
    /// Name of the rollout.
    pub name: String,
    /// Why; kept in the rollout's status.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "aborted with kubectl lockflight",
        value_parser = reason
    )]
    pub reason: String,
}

/// Arguments of `dashboard`.
#[derive(Debug, Args)]
pub struct Dashboard {
    /// Port on this machine; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    pub port: u16,
    /// Open no browser.
    #[arg(long)]
    pub no_open: bool,
}

/// Times on the command line are written as in the API: 30s, 5m, 1h30m.
fn span(text: &str) -> Result<Duration, String> {
    lockflight_crds::Duration::from(text).to_std().map_err(|error| error.to_string())
}

/// The hub takes an empty reason for no command at all.
fn reason(text: &str) -> Result<String, String> {
    /// The hub keeps so many bytes, and we look for the whole in what it echoes.
    const LENGTH_MAX: usize = 1000;
    match text.trim() {
        "" => Err("must not be empty".to_owned()),
        text if text.len() > LENGTH_MAX => Err(format!("must be at most {LENGTH_MAX} bytes")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn refuses_two_ways_to_choose_gates_and_an_empty_reason() {
        for line in [
            "promote x --all --token t",
            "abort x --reason=",
            "status x --timeout 5",
            "aa --recording x --steps 100:5m",
            "aa --recording x --steps 5",
            "aa --recording x --trials 0",
            "aa",
            "plan",
            "plan x -f y",
            "plan x --rps 5",
            "plan x --rps 5 --errors 0.1",
            // A plan is gated by the templates of its rollout.
            "plan x --template builtin:app",
            "plan x --arg a=b",
            "aa --recording x --prometheus http://p",
            "aa --recording x --provider p",
            "aa --recording x --save y",
            "aa --provider eu=",
            "aa --provider http://p",
            "aa --prometheus p:9090",
            "aa --prometheus http://p --false-aborts 1",
        ] {
            let words = ["kubectl-lockflight"].into_iter().chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn help_is_for_a_terminal_and_speaks_of_nothing_that_is_not_there() {
        let mut all = Arguments::command();
        all.build();
        for command in std::iter::once(&all).chain(all.get_subcommands()) {
            let help = command.clone().render_long_help().to_string();
            assert!(!help.contains('`'), "{help}");
            let watches = command.get_arguments().any(|one| one.get_id() == "watch");
            assert_eq!(help.contains("--watch"), watches, "{help}");
            let past = help.split_once("Stable's past:").map_or("", |(_, rest)| rest);
            for own in ["--output", "--save", "--trials", "--context"] {
                assert!(!past.contains(&format!("{own} ")), "{own}: {help}");
            }
        }
    }

    #[test]
    fn takes_global_flags_after_the_command() {
        let words = ["kubectl-lockflight", "get", "checkout", "-w", "-n", "shop", "--ascii"];
        let arguments = Arguments::try_parse_from(words).unwrap();
        assert_eq!(arguments.global.namespace.as_deref(), Some("shop"));
        assert!(arguments.global.ascii);
    }
}
