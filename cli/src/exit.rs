//! Exit codes: a contract with scripts.

use std::process::ExitCode;

use crate::Outcome;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the rollout is completed or on its way.
    Ok,
    /// Something failed.
    Error,
    /// The command line asks for something that cannot be meant.
    Usage,
    /// The rollout was taken back.
    Aborted,
    /// The rollout waits for a person.
    Waiting,
    /// It took too long.
    Timeout,
}

impl Exit {
    /// The code that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Aborted => 3,
            Self::Waiting => 4,
            Self::Timeout => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Moving | Outcome::Completed => Self::Ok,
            Outcome::Waiting => Self::Waiting,
            Outcome::Aborted => Self::Aborted,
            Outcome::Stalled => Self::Error,
        }
    }
}
