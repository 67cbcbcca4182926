//! Applications and users of an outside issuer: which is which, and what users need beside the scope.

use super::*;

const ANA: &str = "dddddddd-0000-4000-8000-000000000001";
const ANALYSTS: &str = "eeeeeeee-0000-4000-8000-000000000001";

const ROLES: &str = "[[roles]]\nname = 'SOC'\norganization = 'contoso'\npermissions = ['View Data']\n\
     groups = ['EEEEEEEE-0000-4000-8000-000000000001', 'soc']\nusers = ['dddddddd-0000-4000-8000-00000000000a']\n\
     [[roles]]\nname = 'responders'\norganization = 'contoso'\npermissions = ['Live response capabilities']\n\
     groups = ['responders']\n\
     [[roles]]\nname = 'SOC'\norganization = 'fabrikam'\npermissions = ['View Data']\ngroups = ['theirs']\n";

async fn with_roles() -> (Idp, TestApp) {
    let idp = Idp::start("/{tenantid}/v2.0").await;
    let app = app(&[settings(&idp, ""), ROLES.to_owned()].concat());
    (idp, app)
}

/// Claims of a delegated token of contoso, shaped as Entra's: `roles` are the user's, of the application.
fn delegated(idp: &Idp) -> Value {
    let claims = with(entra_claims(idp), "scp", json!("Ip.Read.All Machine.Read"));
    with(with(claims, "oid", json!(ANA)), "groups", json!([ANALYSTS]))
}

#[tokio::test]
async fn a_user_who_holds_a_role_with_view_data_may_ask() {
    let (idp, app) = with_roles().await;
    assert_eq!(status(&app, &delegated(&idp)).await, 200);
    assert_eq!(status(&app, &with(delegated(&idp), "groups", json!(["x", "soc"]))).await, 200);
    let herself = with(delegated(&idp), "oid", json!("dddddddd-0000-4000-8000-00000000000A"));
    assert_eq!(status(&app, &with(herself, "groups", json!(null))).await, 200);
}

#[tokio::test]
async fn a_permission_in_the_roles_of_a_user_token_is_none_of_the_application() {
    let (idp, app) = with_roles().await;
    for scopes in [json!(""), json!("Machine.Read"), json!(["Ip.Read.All"]), json!(7), json!("ip.read.all")] {
        let claims = with(delegated(&idp), "scp", scopes);
        assert_forbidden(&app, &with(claims, "roles", json!(["Ip.Read.All"])), "Missing scopes").await;
    }
    let mut claims = delegated(&idp);
    claims["scp"] = Value::Null;
    assert_forbidden(&app, &claims, "Missing scopes").await;
    let user = with(with(delegated(&idp), "scp", json!(null)), "idtyp", json!("user"));
    assert_forbidden(&app, &user, "Missing scopes").await;
}

#[tokio::test]
async fn a_user_without_such_a_role_may_not() {
    let (idp, app) = with_roles().await;
    for groups in [json!(null), json!([]), json!(["theirs"]), json!(["responders"]), json!(["SOC", "Soc"])] {
        let claims = with(delegated(&idp), "groups", groups);
        assert_forbidden(&app, &claims, "no role with the permission 'View Data'.").await;
    }
    assert_forbidden(
        &app,
        &with(with(delegated(&idp), "groups", json!(null)), "oid", json!(null)),
        "View Data",
    )
    .await;
    let nobody = with(delegated(&idp), "oid", json!(null));
    assert_forbidden(&app, &nobody, "View Data").await;
    assert_refused(&app, &sign(&with(delegated(&idp), "groups", json!("soc"))), "malformed").await;
}

#[tokio::test]
async fn groups_that_are_too_many_for_a_token_give_no_role() {
    let (idp, app) = with_roles().await;
    let overage = json!({"groups": "src1"});
    let claims = with(with(delegated(&idp), "groups", json!(null)), "_claim_names", overage);
    assert_forbidden(&app, &claims, "leaves out the user's groups").await;
    let herself = with(claims, "oid", json!("dddddddd-0000-4000-8000-00000000000a"));
    assert_eq!(status(&app, &herself).await, 200, "a role of the user herself counts");
    let hasgroups = with(with(delegated(&idp), "groups", json!(null)), "hasgroups", json!(true));
    assert_forbidden(&app, &hasgroups, "leaves out the user's groups").await;
}

#[tokio::test]
async fn the_contexts_of_an_issuer_can_be_narrowed() {
    for (contexts, application, user) in [("application", 200, 401), ("delegated", 401, 200)] {
        let idp = Idp::start("/{tenantid}/v2.0").await;
        let app = app(&[settings(&idp, &format!("contexts = ['{contexts}']")), ROLES.to_owned()].concat());
        assert_eq!(status(&app, &entra_claims(&idp)).await, application, "{contexts}");
        assert_eq!(status(&app, &delegated(&idp)).await, user, "{contexts}");
    }
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_at_once() {
    let (idp, app) = with_roles().await;
    let token = sign(&delegated(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    app.reload(&settings(&idp, ""));
    assert_eq!(app.get_as(&token, PATH).await.error().0, 403);
    assert_eq!(idp.key_requests(), 1, "a reload keeps the keys");
    app.reload("");
    assert_refused(&app, &token, "issuer").await;
}
