//! Clusters that are done, and whose Services somebody has changed since: taken back by hand while
//! the hub was gone, or edited. What serves there is named and left alone, and nothing moves on
//! meanwhile: whoever took a release back in one cluster does not want it in the next.

use crate::{
    draft::Draft,
    ids::{MemberId, Revision},
    journal::{AttemptPhase, Base, MemberPhase},
    plan::WaitReason,
    snapshot::{Facts, Role},
};

/// Says which clusters that are done serve something else than they should; whether any does.
pub(crate) fn look(draft: &mut Draft<'_>) -> bool {
    let members: Vec<MemberId> = draft.next.members.keys().cloned().collect();
    let mut found = false;
    for member in members {
        let Some(facts) = draft.facts(&member) else { continue };
        let Some(serving) = meant_to_serve(draft, &member) else { continue };
        let Some(change) = change(facts, &serving) else { continue };
        let remedy = match draft.phase() {
            Some(AttemptPhase::Progressing | AttemptPhase::Aborting) => "or abort",
            Some(AttemptPhase::Aborted | AttemptPhase::Completed) | None => {
                "or apply the revision that is to serve"
            }
        };
        let message = format!("{member}: {change}; put {serving} back, {remedy}");
        draft.wait(&member, WaitReason::TrafficConflict, message);
        found = true;
    }
    found
}

/// What a cluster serves that is done: the revision on trial, or what was there before.
pub(crate) fn meant_to_serve(draft: &Draft<'_>, member: &MemberId) -> Option<Revision> {
    let journal = draft.member(member)?;
    match (journal.phase, &journal.base) {
        (MemberPhase::Promoted, _) => draft.target(),
        (MemberPhase::RolledBack, Base::Serving(base)) => Some(base.clone()),
        // The others are under way, or are put back before their turn comes. After a first
        // deployment that was stopped nothing has to serve.
        _ => None,
    }
}

/// The first Service that selects something else.
fn change(facts: &Facts, serving: &Revision) -> Option<String> {
    [(Role::Stable, "stable"), (Role::Canary, "canary")].into_iter().find_map(|(role, name)| {
        let service = facts.service(role)?;
        if service.selects.as_ref() == Some(serving) {
            return None;
        }
        let manager = service.manager.as_deref().unwrap_or("an unknown field manager");
        let selects = match &service.selects {
            Some(other) => format!("selects {other}"),
            None => "selects no revision".to_owned(),
        };
        Some(format!(
            "{manager} changed the {name} Service, which {selects} where {serving} should serve"
        ))
    })
}
