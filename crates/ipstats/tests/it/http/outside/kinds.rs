//! Issuers of other kinds than Entra's for many tenants: how their tokens are read, and for whom they speak.

use super::*;

/// An issuer with these settings, the service that trusts it, and the claims that tokens of all kinds have.
async fn issuer(more: &str, roles: &str) -> (TestApp, Value) {
    let idp = Idp::start("/realms/contoso").await;
    let app = app(&[settings(&idp, more), roles.to_owned()].concat());
    let exp = time(TOKEN_NOW).second() + 60;
    (app, json!({"iss": idp.issuer(), "aud": ["account", AUDIENCE], "exp": exp}))
}

fn and(mut claims: Value, more: &Value) -> Value {
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

const SOC: &str = "[[roles]]\nname = 'SOC'\norganization = 'contoso'\npermissions = ['view data']\ngroups = ['/soc']\nusers = ['auth0|ana']";

#[tokio::test]
async fn keycloak() {
    let (app, common) = issuer("kind = 'keycloak'\norganization = 'contoso'", SOC).await;
    let application = and(
        common.clone(),
        &json!({"typ": "Bearer", "azp": "soar", "client_id": "soar", "sub": "f0", "scope": "profile",
                "preferred_username": "service-account-soar", "realm_access": {"roles": ["x", "Ip.Read.All"]}}),
    );
    assert_eq!(status(&app, &application).await, 200);
    // A user of the same client, whose own realm roles are no permissions of the application.
    let user = with(application.clone(), "client_id", json!(null));
    assert_forbidden(&app, &user, "Missing scopes").await;
    let user = with(user, "scope", json!("openid Ip.Read.All"));
    assert_forbidden(&app, &user, "View Data").await;
    assert_eq!(status(&app, &with(user.clone(), "groups", json!(["/soc"]))).await, 200);
    assert_refused(&app, &sign(&with(application.clone(), "typ", json!("ID"))), "not an access token").await;
    assert_refused(&app, &sign(&with(application.clone(), "typ", json!(null))), "not an access token").await;
    let other = with(application, "client_id", json!("other"));
    assert_forbidden(&app, &other, "Missing scopes").await;
}

#[tokio::test]
async fn keycloak_with_roles_of_a_client() {
    let more = "kind = 'keycloak'\norganization = 'contoso'\n[issuers.claims]\npermissions = '/resource_access/ip.stats/roles'";
    let (app, common) = issuer(more, "").await;
    let claims = and(
        common,
        &json!({"typ": "Bearer", "azp": "soar", "client_id": "soar",
                "resource_access": {"ip.stats": {"roles": ["Ip.Read.All"]}}}),
    );
    assert_eq!(status(&app, &claims).await, 200);
    let elsewhere = with(claims, "resource_access", json!({"account": {"roles": ["Ip.Read.All"]}}));
    assert_forbidden(&app, &elsewhere, "Missing application roles").await;
}

#[tokio::test]
async fn auth0() {
    let (app, common) = issuer("kind = 'auth0'\norganization = 'contoso'", SOC).await;
    let application = and(
        common.clone(),
        &json!({"azp": "abc", "sub": "abc@clients", "gty": "client-credentials", "permissions": ["Ip.Read.All"]}),
    );
    assert_eq!(status(&app, &application).await, 200);
    for (name, value) in [("gty", json!(null)), ("gty", json!("password")), ("sub", json!("auth0|bob"))] {
        assert_forbidden(&app, &with(application.clone(), name, value), "Missing scopes").await;
    }
    let user = json!({"azp": "abc", "sub": "auth0|ana", "scope": "openid Ip.Read.All", "permissions": ["Ip.Read.All"]});
    let user = and(common, &user);
    assert_eq!(status(&app, &user).await, 200);
    assert_forbidden(&app, &with(user, "sub", json!("auth0|bob")), "View Data").await;
}

#[tokio::test]
async fn rfc9068() {
    let (app, common) = issuer("kind = 'rfc9068'\norganization = 'contoso'", SOC).await;
    let application = and(common, &json!({"client_id": "soar", "sub": "soar", "scope": "Ip.Read.All"}));
    assert_eq!(status(&app, &application).await, 200);
    let user = with(application.clone(), "sub", json!("ana"));
    assert_forbidden(&app, &user, "View Data").await;
    assert_eq!(status(&app, &with(user, "groups", json!(["/soc"]))).await, 200);
    let namesake = with(application.clone(), "auth_time", json!(1));
    assert_forbidden(&app, &namesake, "View Data").await;
    let with_scp = with(application.clone(), "scp", json!(["x"]));
    assert_forbidden(&app, &with_scp, "View Data").await;
    assert_refused(&app, &sign(&with(application, "client_id", json!(null))), "malformed").await;
}

#[tokio::test]
async fn an_organization_by_a_claim() {
    let more = "kind = 'rfc9068'\norganization_claim = 'org_id'\norganization_values = { org_1 = 'contoso', org_2 = 'fabrikam' }";
    let (app, common) = issuer(more, "").await;
    let claims = and(common, &json!({"client_id": "soar", "sub": "soar", "scope": "Ip.Read.All"}));
    assert_eq!(status(&app, &with(claims.clone(), "org_id", json!("org_1"))).await, 200);
    assert_eq!(status(&app, &with(claims.clone(), "org_id", json!("org_2"))).await, 404, "not their data");
    for (value, why) in [
        (json!("org_3"), "tenant"),
        (json!("contoso"), "tenant"),
        (json!(["org_1"]), "malformed"),
        (json!(null), "malformed"),
    ] {
        assert_refused(&app, &sign(&with(claims.clone(), "org_id", value)), why).await;
    }
}

#[tokio::test]
async fn an_organization_by_a_claim_that_holds_its_name_or_id() {
    let more = "kind = 'rfc9068'\norganization_claim = 'tid'\norganizations = ['contoso']";
    let (app, common) = issuer(more, "").await;
    let claims = and(common, &json!({"client_id": "soar", "sub": "soar", "scope": "Ip.Read.All"}));
    for value in [CONTOSO, "contoso"] {
        assert_eq!(status(&app, &with(claims.clone(), "tid", json!(value))).await, 200);
    }
    for value in [FABRIKAM, "fabrikam"] {
        assert_refused(&app, &sign(&with(claims.clone(), "tid", json!(value))), "tenant").await;
    }
}

#[tokio::test]
async fn entra_for_one_tenant_and_version_1() {
    let idp = Idp::start(&format!("/{CONTOSO}/")).await;
    let app = app(&settings(&idp, ""));
    let claims = with(with(entra_claims(&idp), "azp", json!(null)), "appid", json!("soar"));
    assert_eq!(status(&app, &claims).await, 200);
    assert_refused(&app, &sign(&with(claims, "tid", json!(FABRIKAM))), "tenant").await;
}

#[tokio::test]
async fn entra_for_many_tenants_and_version_1() {
    let idp = Idp::start("/{tenantid}/").await;
    let app = app(&settings(&idp, ""));
    let of = |tenant: &str| {
        let claims = with(entra_claims(&idp), "iss", json!(idp.issuer().replace("{tenantid}", tenant)));
        with(claims, "tid", json!(tenant))
    };
    assert_eq!(status(&app, &of(CONTOSO)).await, 200);
    assert_eq!(status(&app, &of(FABRIKAM)).await, 404);
    assert!(
        idp.state.lock().unwrap().asked[0].starts_with("/common/.well-known/"),
        "where many tenants are described"
    );
    assert_refused(&app, &sign(&of("33333333-3333-4333-8333-333333333333")), "issuer").await;
}

#[tokio::test]
async fn each_key_is_used_with_its_own_algorithm() {
    let (idp, app) = entra().await;
    let pss = with(public("pss", &RSA[0], Algorithm::PS256), "alg", json!("PS256"));
    idp.publish(&[
        pss,
        public("curve", &EC, Algorithm::ES256),
        with(public("bare", &RSA[1], Algorithm::RS256), "alg", json!(null)),
    ]);
    for (id, algorithm, key) in [
        ("pss", Algorithm::PS256, &RSA[0]),
        ("curve", Algorithm::ES256, &*EC),
        ("bare", Algorithm::RS256, &RSA[1]),
    ] {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
        let token = encode(&header, &entra_claims(&idp), key).unwrap();
        assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK, "{id}");
    }
    let header = Header { kid: Some("pss".to_owned()), ..Header::new(Algorithm::RS256) };
    assert_refused(&app, &encode(&header, &entra_claims(&idp), &RSA[0]).unwrap(), "signature").await;
}
