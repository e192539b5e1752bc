//! What can go wrong, and what the user can do about it.

use std::{io, time::Duration};

use kube::{
    config::{InferConfigError, KubeconfigError},
    core::Status,
};

use crate::Exit;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No usable kubeconfig.
    #[error("cannot read the kubeconfig: {0}")]
    Kubeconfig(#[source] KubeconfigError),
    /// The context is not in the kubeconfig, or none is chosen.
    #[error("{wanted}; the kubeconfig has: {}", .known.join(", "))]
    Context {
        /// What is wrong with the choice.
        wanted: String,
        /// The contexts that there are.
        known: Vec<String>,
    },
    /// Neither a kubeconfig nor a ServiceAccount.
    #[error("found no cluster to talk to: {0}")]
    NoCluster(#[source] Box<InferConfigError>),
    /// The client could not be made.
    #[error("cannot talk to {server}: {}", cause(.source))]
    Client {
        /// Address of the API server.
        server: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// No such rollout.
    #[error("rollout {name:?} not found in namespace {namespace:?}")]
    NotFound {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The hub's API server does not know the kind.
    #[error("{server} does not serve rollouts.lockflight.dev")]
    NotInstalled {
        /// Address of the API server.
        server: String,
    },
    /// RBAC says no.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The credential is not accepted.
    #[error("{server} does not accept the credential: {message}")]
    Unauthorized {
        /// Address of the API server.
        server: String,
        /// What it said.
        message: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {}s", .after.as_secs())]
    NoAnswer {
        /// Address of the API server.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// Any other refusal.
    #[error("{server} answered: {message}")]
    Refused {
        /// Address of the API server.
        server: String,
        /// What it said.
        message: String,
    },
    /// The rollout went away while it was watched.
    #[error("rollout {0:?} was deleted")]
    Deleted(String),
    /// Gates wait, and it was not said which is meant; or no such gate waits.
    #[error("{0}")]
    Gates(String),
    /// An object in a file is not as its kind has it.
    #[error("{why}")]
    Manifest {
        /// Its kind.
        kind: String,
        /// The file, the object, and the fields that are wrong.
        why: String,
    },
    /// The command does not fit the rollout's state.
    #[error("{0}")]
    State(String),
    /// The output could not be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// The output could not be put into words.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// Sorts an error of the client.
    pub(crate) fn from_kube(error: kube::Error, server: &str, namespace: &str) -> Self {
        let server = server.to_owned();
        match error {
            kube::Error::Api(status) => Self::from_status(&status, server, namespace),
            error => Self::Client { server, source: Box::new(error) },
        }
    }

    fn from_status(status: &Status, server: String, namespace: &str) -> Self {
        let message = status.message.clone();
        match status.code {
            401 => Self::Unauthorized { server, message },
            403 => Self::Forbidden(message),
            // Only the answer about an object names it; a path that is not served is a bare 404.
            404 => match status.details.as_ref().map(|details| details.name.clone()) {
                Some(name) if !name.is_empty() => {
                    Self::NotFound { namespace: namespace.to_owned(), name }
                }
                _ => Self::NotInstalled { server },
            },
            _ => Self::Refused { server, message },
        }
    }

    /// Whether another writer was faster: the object is to be read again.
    pub(crate) fn is_conflict(error: &kube::Error) -> bool {
        matches!(error, kube::Error::Api(status) if status.code == 409)
    }

    /// Whether the reader of our output has gone.
    #[must_use]
    pub fn is_closed_output(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Json(error) => error.io_error_kind() == Some(io::ErrorKind::BrokenPipe),
            _ => false,
        }
    }

    /// The code that the process ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Gates(_) | Self::Context { .. } => Exit::Usage,
            _ => Exit::Error,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::Kubeconfig(_) => {
                "set KUBECONFIG or --kubeconfig to a file that kubectl can use too"
            }
            Self::Context { .. } => "choose one with --context",
            Self::NoCluster(_) => "set KUBECONFIG or --kubeconfig to the hub's kubeconfig",
            Self::Client { .. } => "check the address and your network: kubectl get --raw /readyz",
            Self::NotFound { .. } => {
                "name another namespace with -n, or look everywhere: kubectl lockflight list -A"
            }
            Self::NotInstalled { .. } => {
                "is it the hub? choose it with --context, or install the definitions: \
                 kubectl apply --server-side -f helm/lockflight/files/crds/"
            }
            Self::Forbidden(_) => {
                "ask for get, list, watch and patch on rollouts.lockflight.dev in the namespace"
            }
            Self::Unauthorized { .. } => "log in again, or choose another user with --context",
            Self::NoAnswer { .. } => {
                "check the address and your network, or allow more time with --request-timeout"
            }
            Self::Manifest { kind, .. } => {
                return Some(format!(
                    "kubectl explain {}.spec --recursive lists the fields and their bounds",
                    kind.to_lowercase()
                ));
            }
            Self::Refused { .. }
            | Self::Deleted(_)
            | Self::Gates(_)
            | Self::State(_)
            | Self::Output(_)
            | Self::Json(_) => return None,
        };
        Some(remedy.to_owned())
    }
}

/// The innermost error: those around it only say that there was one.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(answer: &str) -> Failure {
        let status: Status = serde_json::from_str(answer).unwrap();
        Failure::from_kube(kube::Error::Api(Box::new(status)), "https://hub:6443", "shop")
    }

    #[test]
    fn every_refusal_names_a_remedy() {
        let cases = [
            (
                r#"{"code": 404, "message": "rollouts.lockflight.dev \"x\" not found",
                    "details": {"name": "x", "group": "lockflight.dev", "kind": "rollouts"}}"#,
                r#"rollout "x" not found in namespace "shop""#,
                "list -A",
            ),
            (
                r#"{"code": 404, "message": "404 page not found"}"#,
                "https://hub:6443 does not serve rollouts.lockflight.dev",
                "install the definitions",
            ),
            (
                r#"{"code": 403, "message": "User \"jo\" cannot patch resource \"rollouts\""}"#,
                r#"not allowed: User "jo" cannot patch resource "rollouts""#,
                "ask for get, list, watch and patch",
            ),
            (
                r#"{"code": 401, "message": "Unauthorized"}"#,
                "https://hub:6443 does not accept the credential: Unauthorized",
                "log in again",
            ),
        ];
        for (answer, message, remedy) in cases {
            let failure = sorted(answer);
            assert_eq!(failure.to_string(), message);
            let offered = failure.remedy().unwrap_or_default();
            assert!(offered.contains(remedy), "{message}: {offered}");
            assert_eq!(failure.exit(), Exit::Error);
        }
    }
}
