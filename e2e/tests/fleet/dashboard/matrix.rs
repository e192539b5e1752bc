//! Who gets in, and what they may do: decided by the API server, for every route.

use anyhow::{Context as _, ensure};
use lockflight_crds::names;
use lockflight_e2e::service::{DemoService, Settings};
use lockflight_e2e::wait;
use serde_json::Value;

use super::client::{self, Ask, send};
use super::people::{People, forged};
use crate::bed::{Bed, SOON};
use crate::look;

const ABORT: &str = r#"{"verb":"Abort","reason":"x"}"#;
const UNMEANT: &str = r#"{"manifest":""}"#;

/// Every route below /api/v1 that needs somebody: method, path behind it, body. `{}` is the
/// namespace of the test.
const ROUTES: [(&str, &str, &str); 13] = [
    ("GET", "me", ""),
    ("GET", "snapshot", ""),
    ("GET", "stream", ""),
    ("GET", "rights/{}", ""),
    ("GET", "rollouts/{}/shop", ""),
    ("GET", "rollouts/{}/shop/history", ""),
    ("GET", "rollouts/{}/shop/analysis/m1", ""),
    ("GET", "rollouts/{}/shop/evidence", ""),
    ("GET", "rollouts/{}/shop/plan", ""),
    ("POST", "rollouts/{}/shop/plan", UNMEANT),
    ("GET", "rollouts/{}/none", ""),
    ("POST", "rollouts/{}/shop/actions", ABORT),
    ("DELETE", "session", ""),
];

async fn at_rest(bed: &Bed, namespace: &str) -> anyhow::Result<DemoService> {
    let settings = Settings::default().only(&["m1"]).steps(&[(100, 0)]).ungated();
    bed.running(namespace, settings).await
}

fn path(route: &str, namespace: &str) -> String {
    format!("/api/v1/{}", route.replace("{}", namespace))
}

/// Nobody gets in without a token that the hub's API server takes for a good one of its own.
pub(crate) async fn dashboard_refuses_every_bad_credential_on_every_route(
    bed: &Bed,
) -> anyhow::Result<()> {
    let namespace = "dashboard-door";
    let service = at_rest(bed, namespace).await?;
    let people = People::settle(bed, namespace).await?;
    let good = people.token("operator").await?;
    let cut = good.rsplit_once('.').map(|(rest, _)| rest.to_owned()).context("a token has dots")?;
    let bearers = [
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("for another audience", people.token_for_others("operator").await?),
        ("expired", people.expired(&good)?),
        ("revoked", people.revoked_token("operator").await?),
        ("signed by a stranger", forged(&good)?),
        ("without its signature", cut.clone()),
        ("with an empty signature", format!("{cut}.")),
    ];
    let mut credentials: Vec<(&str, Vec<(&str, String)>)> = bearers
        .into_iter()
        .map(|(what, token)| (what, vec![("authorization", format!("Bearer {token}"))]))
        .collect();
    credentials.push(("none", Vec::new()));
    credentials.push(("of another scheme", vec![("authorization", format!("Basic {good}"))]));
    credentials
        .push(("a stolen cookie's shape", vec![("cookie", "lockflight-session=00ff".into())]));
    // Only a proxy that the hub was told to trust may name users.
    let named = vec![
        ("x-forwarded-user", people.user("operator")),
        ("x-forwarded-groups", "system:masters".to_owned()),
        ("x-remote-user", "admin".to_owned()),
        ("impersonate-user", "admin".to_owned()),
    ];
    credentials.push(("headers of a proxy", named));
    let mut tried = 0;
    for (method, route, body) in ROUTES {
        let path = path(route, namespace);
        for (what, headers) in &credentials {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = send(Ask { method, path: &path, headers: &headers, body }).await?;
            ensure!(answer.status == 401, "{method} {path}, {what}: {answer:?}");
            ensure!(!answer.body.contains(&good), "{method} {path}, {what}: told the token");
            tried += 1;
        }
        let in_address = format!("{path}?token={good}&access_token={good}");
        let answer = send(Ask { method, path: &in_address, headers: &[], body }).await?;
        ensure!(answer.status == 401, "{method} {path}, token in the address: {answer:?}");
        tried += 1;
    }
    // The wrong ones did not spoil the right one, and nothing was done.
    client::get("/api/v1/me", &good).await?;
    let rollout = service.rollout().await?;
    let annotations = rollout.metadata.annotations.unwrap_or_default();
    ensure!(!annotations.contains_key(names::ABORT_ANNOTATION), "{annotations:?}");
    let log = std::fs::read_to_string(bed.hub.log())?;
    ensure!(!log.contains(&good), "the hub's log holds a token");
    eprintln!("        {tried} requests were refused");
    Ok(())
}

/// Looking needs list, pressing needs the verb of the command; others see nothing.
pub(crate) async fn dashboard_gives_people_what_rbac_gives_them(bed: &Bed) -> anyhow::Result<()> {
    let namespace = "dashboard-people";
    let service = at_rest(bed, namespace).await?;
    let people = People::settle(bed, namespace).await?;
    // 404 instead of 403: for whoever may not see it, it does not exist.
    let expected: [(&str, [u16; ROUTES.len()]); 4] = [
        ("viewer", [200, 200, 200, 200, 200, 200, 200, 200, 200, 422, 404, 403, 204]),
        ("operator", [200, 200, 200, 200, 200, 200, 200, 200, 200, 422, 404, 202, 204]),
        ("aborter", [200, 200, 200, 200, 200, 200, 200, 200, 200, 403, 404, 202, 204]),
        ("outsider", [200, 200, 200, 200, 404, 404, 404, 404, 404, 404, 404, 403, 204]),
    ];
    for (account, codes) in expected {
        if account == "operator" {
            let annotations = service.rollout().await?.metadata.annotations.unwrap_or_default();
            ensure!(
                !annotations.contains_key(names::ABORT_ANNOTATION),
                "a viewer's: {annotations:?}"
            );
        }
        let token = people.token(account).await?;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        // The board looks at the caches twice a second.
        wait::until(&format!("what {account} gets"), SOON, async || {
            for ((method, route, body), code) in ROUTES.iter().zip(codes) {
                let path = path(route, namespace);
                let answer = send(Ask { method, path: &path, headers: &headers, body }).await?;
                ensure!(answer.status == code, "{account}: {method} {path}: {answer:?}");
            }
            Ok(())
        })
        .await?;
        let me = client::get("/api/v1/me", &token).await?;
        ensure!(me["user"] == people.user(account), "{me}");
        let snapshot = client::get("/api/v1/snapshot", &token).await?;
        let sees = |list: &str| snapshot[list].as_array().map_or(0, Vec::len);
        let own = snapshot["rollouts"].as_array().into_iter().flatten();
        let own = own.filter(|row| row["namespace"] == namespace).count();
        let (rollouts, clusters) = match account {
            "outsider" => (0, 0),
            "aborter" => (1, 0),
            _ => (1, bed.fleet.members.len()),
        };
        ensure!((own, sees("clusters")) == (rollouts, clusters), "{account} sees {snapshot}");
        let rights = client::get(&format!("/api/v1/rights/{namespace}"), &token).await?;
        let allowed = allowed(&rights);
        let expected: &[&str] = match account {
            "operator" => &["Promote", "Abort", "Retry", "Pause", "Resume"],
            "aborter" => &["Abort"],
            _ => &[],
        };
        ensure!(
            expected.iter().all(|verb| allowed.contains(verb)) && allowed.len() == expected.len(),
            "{account} may {allowed:?}"
        );
    }
    // Those who may were heard; at rest there is nothing to abort.
    look::event(&service, "NothingToAbort").await?;
    Ok(())
}

fn allowed(rights: &Value) -> Vec<&str> {
    let rights = rights.as_array().into_iter().flatten();
    rights.filter(|right| right["allowed"] == true).filter_map(|r| r["verb"].as_str()).collect()
}
