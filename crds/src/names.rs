//! Labels, annotations and derived object names: one spelling for hub, plugin and tests.

/// Label on every object of ours in a member: the Rollout it belongs to.
pub const ROLLOUT_LABEL: &str = "lockflight.dev/rollout";
/// Label on Deployments and pods of ours: the revision they run.
pub const REVISION_LABEL: &str = "lockflight.dev/revision";
/// The standard label that says who manages an object; ours carry [`MANAGED_BY`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY_LABEL`], and the field manager of every write of the hub.
pub const MANAGED_BY: &str = "lockflight";

/// Annotation on our Services: the attempt under which they were last written.
pub const ATTEMPT_ANNOTATION: &str = "lockflight.dev/attempt";
/// Annotation on our Services, the abort's tombstone: the revision that was taken back.
pub const ABORTED_ANNOTATION: &str = "lockflight.dev/aborted-revision";

/// Command annotation on a Rollout: comma-separated tokens of the gates to open.
pub const PROMOTE_ANNOTATION: &str = "lockflight.dev/promote";
/// Command annotation on a Rollout: why the release must go back to stable.
pub const ABORT_ANNOTATION: &str = "lockflight.dev/abort";
/// Level annotation on a Rollout: no forward movement while it is present.
pub const PAUSE_ANNOTATION: &str = "lockflight.dev/pause";
/// Command annotation on a Rollout: the number of the aborted attempt to try again.
pub const RETRY_ANNOTATION: &str = "lockflight.dev/retry";
/// Annotation on a Rollout that is being deleted: give up members that cannot be reached.
pub const FORCE_DELETE_ANNOTATION: &str = "lockflight.dev/force-delete";
/// Finalizer on every Rollout that has touched a member.
pub const FINALIZER: &str = "lockflight.dev/rollout";

/// Longest Rollout name: `<name>-stable` and `<name>-<revision>` must stay DNS labels with room
/// for the suffixes of `ReplicaSets` and pods.
pub const ROLLOUT_NAME_LENGTH_MAX: usize = 40;

/// The Service whose selector names the revision that serves.
#[must_use]
pub fn stable_service(rollout: &str) -> String {
    format!("{rollout}-stable")
}

/// The Service whose selector names the revision on trial; at rest it names the stable one.
#[must_use]
pub fn canary_service(rollout: &str) -> String {
    format!("{rollout}-canary")
}

/// The Deployment of one revision.
#[must_use]
pub fn deployment(rollout: &str, revision: &str) -> String {
    format!("{rollout}-{revision}")
}
