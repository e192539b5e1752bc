//! Who looks, what they may press, and what went wrong.

use schemars::JsonSchema;
use serde::Serialize;

use super::Verb;

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Name of the user; absent for a reader who is not known.
    pub user: Option<String>,
    /// How the user came to be known.
    pub sign_in: SignIn,
    /// Whether there is a session to sign out of.
    pub session: bool,
    /// To be sent as `x-lockflight-csrf` with everything that changes something.
    pub csrf: Option<String>,
    /// Why nothing can be pressed at all, if so.
    pub read_only: Option<String>,
    /// Version of the server.
    pub version: String,
    /// What is looked at, for the page's head.
    pub hub: String,
}

/// How users become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum SignIn {
    /// They do not: everybody on this machine may look.
    Nobody,
    /// By a bearer token of the hub's API server.
    Token,
    /// By the headers of a trusted proxy.
    Proxy,
    /// By the code that `kubectl lockflight dashboard` printed.
    Code,
}

/// Whether the user may press something in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionRight {
    /// What.
    pub verb: Verb,
    /// Whether.
    pub allowed: bool,
    /// Why not.
    pub why: Option<String>,
}

/// What went wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
    /// How to sign in, when that is what is missing.
    pub sign_in: Option<SignIn>,
}
