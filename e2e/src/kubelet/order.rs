//! What a pod's task is told to do.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::sync::watch;

/// A process always gets so long after it was asked to end, even if its pod was removed by force.
/// A real kubelet does the same.
pub(super) const LEAST_GRACE: Duration = Duration::from_secs(2);
const DEFAULT_GRACE: i64 = 30;

/// The latest order for a pod. It only ever gets more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Run it.
    Run,
    /// It is being deleted: end it within the grace period, then remove it from the API.
    Stop { grace: Duration },
    /// It is no longer in the API: end it, there is nobody to tell.
    Vanished,
    /// The kubelet stops: kill it, leave the API as it is.
    Halt,
}

impl Order {
    /// What the API says about a pod.
    pub(super) fn of(pod: &Pod) -> Self {
        if pod.metadata.deletion_timestamp.is_none() {
            return Self::Run;
        }
        let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or(DEFAULT_GRACE);
        Self::Stop { grace: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) }
    }

    /// How long a process may take to end; `None` if it may run.
    pub(super) fn grace(self) -> Option<Duration> {
        match self {
            Self::Run => None,
            Self::Stop { grace } => Some(grace.max(LEAST_GRACE)),
            Self::Vanished => Some(LEAST_GRACE),
            Self::Halt => Some(Duration::ZERO),
        }
    }

    /// Nothing may be told to the API any more.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::Vanished | Self::Halt)
    }
}

/// Returns when the pod may no longer run.
pub(super) async fn ended(orders: &mut watch::Receiver<Order>) {
    // An error means that the kubelet itself is gone, which ends the pod as well.
    let _ = orders.wait_for(|order| *order != Order::Run).await;
}

/// Returns when nothing may be told to the API any more.
pub(super) async fn silenced(mut orders: watch::Receiver<Order>) {
    let _ = orders.wait_for(|order| order.is_silent()).await;
}
