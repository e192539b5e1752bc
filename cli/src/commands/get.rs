//! `get`: one rollout, once or live.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use chrono::Utc;
use futures::StreamExt as _;

use super::{
    say,
    screen::{Log, Screen},
};
use crate::{
    Exit, Failure, RolloutView, Times,
    arguments::{Get, GetOutput},
    session::{Session, Update},
};

/// Time from one drawing to the next on a terminal: times are shown in seconds.
const REDRAW: Duration = Duration::from_secs(1);

pub(super) async fn run(session: &Session, get: &Get) -> Result<Exit, Failure> {
    let view = RolloutView::from(&session.get(&get.name).await?);
    if !get.watch {
        match get.output {
            GetOutput::Tree => say(&session.draw(&view, Times::Relative))?,
            GetOutput::Json => say(&format!("{}\n", serde_json::to_string_pretty(&view)?))?,
        }
        return Ok(Exit::Ok);
    }
    tokio::select! {
        end = watch(session, get, view) => end,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
    }
}

async fn watch(session: &Session, get: &Get, first: RolloutView) -> Result<Exit, Failure> {
    let mut page = Page::new(get.output);
    let mut updates = std::pin::pin!(session.follow(&get.name));
    let mut redraw = tokio::time::interval(REDRAW);
    let mut view = first;
    let mut trouble = None;
    page.show(session, &view, None)?;
    loop {
        tokio::select! {
            update = updates.next() => match update {
                Some(Update::Now(rollout)) => {
                    trouble = None;
                    let next = RolloutView::from(&*rollout);
                    if next != view {
                        view = next;
                        page.show(session, &view, None)?;
                    }
                }
                Some(Update::Lost(why)) => {
                    if trouble.is_none() && !page.is_live() {
                        eprintln!("lost the connection, trying again: {why}");
                    }
                    trouble = Some(why);
                }
                Some(Update::Gone) => {
                    eprintln!("rollout {:?} was deleted", get.name);
                    return Ok(Exit::Ok);
                }
                None => return Ok(Exit::Ok),
            },
            _ = redraw.tick(), if page.is_live() => {
                page.show(session, &view, trouble.as_deref())?;
            }
        }
    }
}

/// Where the views go.
enum Page {
    Live(Screen),
    Log(Log),
    Json,
}

impl Page {
    fn new(output: GetOutput) -> Self {
        match output {
            GetOutput::Json => Self::Json,
            GetOutput::Tree if io::stdout().is_terminal() => Self::Live(Screen::default()),
            GetOutput::Tree => Self::Log(Log::default()),
        }
    }

    fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    fn show(
        &mut self,
        session: &Session,
        view: &RolloutView,
        trouble: Option<&str>,
    ) -> Result<(), Failure> {
        match self {
            Self::Live(screen) => {
                let mut text = session.draw(view, Times::Relative);
                if let Some(why) = trouble {
                    text.push_str("lost the connection, this may be old; trying again: ");
                    text.push_str(why);
                }
                let height = terminal_size::terminal_size().map(|(_, rows)| usize::from(rows.0));
                screen.draw(&mut io::stdout().lock(), &text, height)?;
            }
            Self::Log(log) => {
                let text = session.draw(view, Times::Absolute);
                log.append(&mut io::stdout().lock(), &text, Utc::now())?;
            }
            Self::Json => say(&format!("{}\n", serde_json::to_string(view)?))?,
        }
        Ok(())
    }
}
