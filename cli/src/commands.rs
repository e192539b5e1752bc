//! The commands, one file each.

mod aa;
mod analysis;
mod annotate;
mod dashboard;
mod get;
mod list;
mod plan;
mod promote;
mod replay;
mod screen;
mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use futures::StreamExt as _;
use lockflight_crds::Rollout;

use crate::{
    Arguments, Color, Command, Exit, Failure, Global, Style, Times,
    session::{Session, Update},
};

/// How long a command waits for the hub to take it up. The hub looks within a second; ten of
/// them pass only when it is down.
const ECHO_DEADLINE: Duration = Duration::from_secs(10);

/// Carries out a command line.
pub async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    // These ask no cluster, and so must not need one.
    match &arguments.command {
        Command::Replay(replay) => return replay::run(replay),
        Command::Aa(aa) => return aa::run(aa, &arguments.global).await,
        // Files may say all there is to know.
        Command::Plan(plan) => {
            let style = style(&arguments.global);
            return Box::pin(plan::run(plan, &arguments.global, style)).await;
        }
        _ => {}
    }
    let session = Session::open(&arguments.global, style(&arguments.global)).await?;
    match &arguments.command {
        Command::Get(get) => get::run(&session, get).await,
        Command::List(list) => list::run(&session, list).await,
        Command::Status(status) => status::run(&session, status).await,
        Command::Promote(promote) => promote::run(&session, promote).await,
        Command::Abort(abort) => annotate::abort(&session, abort).await,
        Command::Pause(named) => annotate::pause(&session, &named.name).await,
        Command::Resume(named) => annotate::resume(&session, &named.name).await,
        Command::Retry(named) => annotate::retry(&session, &named.name).await,
        Command::Dashboard(dashboard) => {
            let here_only = arguments.global.namespace.is_some();
            Box::pin(dashboard::run(&session, dashboard, here_only)).await
        }
        Command::Analysis(analysis) => analysis::run(&session, analysis).await,
        Command::Replay(replay) => replay::run(replay),
        Command::Aa(aa) => aa::run(aa, &arguments.global).await,
        Command::Plan(plan) => Box::pin(plan::run(plan, &arguments.global, session.style)).await,
    }
}

fn style(global: &Global) -> Style {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            io::stdout().is_terminal()
                && !is_set("NO_COLOR")
                && env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    };
    Style { color, ascii: global.ascii, times: Times::Relative }
}

/// Writes data.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Follows a rollout until it tells what is asked for; `None` when the deadline came first.
async fn wait_for<T>(
    session: &Session,
    name: &str,
    deadline: Duration,
    mut look: impl FnMut(&Rollout) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let mut updates = std::pin::pin!(session.follow(name));
    let watching = async {
        while let Some(update) = updates.next().await {
            match update {
                Update::Now(rollout) => {
                    if let Some(found) = look(&rollout) {
                        return Ok(Some(found));
                    }
                }
                Update::Gone => return Err(Failure::Deleted(name.to_owned())),
                Update::Lost(why) => eprintln!("lost the connection, trying again: {why}"),
            }
        }
        Ok(None)
    };
    tokio::time::timeout(deadline, watching).await.unwrap_or(Ok(None))
}

/// The hub acts once on each value. One that it has seen before, when it meant nothing, gets an
/// ending without meaning, so that it is a new one.
fn unhandled(value: String, handled: Option<&str>, ending: char) -> String {
    if handled == Some(value.as_str()) { format!("{value}{ending}") } else { value }
}

/// Says that the hub has not answered: the command is not lost.
fn unanswered() -> Exit {
    eprintln!(
        "the hub has not taken it up within {}s: it stays on the rollout, and the hub will when \
         it is back",
        ECHO_DEADLINE.as_secs()
    );
    Exit::Timeout
}
