//! Users of the built-in authority: signing in, their tokens, and what ends them.

use super::token::{Post, claims, granted, refusal};
use super::*;

const PATH: &str = "/api/ips/10.209.67.177/stats";
const NOTEBOOK: &str = "bbbbbbbb-0000-4000-8000-000000000001";
const PORTAL: &str = "bbbbbbbb-0000-4000-8000-000000000002";
const ANA: &str = "dddddddd-0000-4000-8000-000000000001";
const PASSWORD: &str = "correct horse battery";

static PASSWORD_HASH: LazyLock<SecretHash> =
    LazyLock::new(|| Secret::from(PASSWORD.to_owned()).hash().unwrap());

const ROLE: &str =
    "[[roles]]\nname = 'SOC'\norganization = 'contoso'\npermissions = ['View Data']\ngroups = ['soc']\n";

/// A public client and one with a secret, which users may sign in to.
fn applications() -> String {
    let secret = SECRET.1.as_str();
    format!(
        "[[applications]]\nname = 'notebook'\nclient_id = '{NOTEBOOK}'\norganization = 'contoso'\n\
         public_client = true\ndelegated_permissions = ['Ip.Read.All', 'Machine.Read']\n\
         [[applications]]\nname = 'portal'\nclient_id = '{PORTAL}'\norganization = 'contoso'\n\
         secret_hash = '{secret}'\npermissions = ['Ip.Read.All']\ndelegated_permissions = ['Machine.Read']\n"
    )
}

fn user(name: &str, oid: &str, organization: &str, groups: &str) -> String {
    format!(
        "[[users]]\nname = '{name}'\noid = '{oid}'\norganization = '{organization}'\ngroups = {groups}\n\
         password_hash = '{}'\n",
        PASSWORD_HASH.as_str()
    )
}

fn users() -> String {
    [
        user("ana@contoso.example", ANA, "contoso", "['soc', 'eeeeeeee-0000-4000-8000-000000000001']"),
        user("bob@contoso.example", "dddddddd-0000-4000-8000-000000000002", "contoso", "[]"),
        user("eve@fabrikam.example", "dddddddd-0000-4000-8000-000000000003", "fabrikam", "['soc']"),
    ]
    .concat()
}

fn app() -> TestApp {
    let settings = [applications(), users(), ROLE.to_owned()].concat();
    TestApp::with(&settings, &[("laptop", "10.209.67.177", NOW)])
}

/// A request of Ana through the public client that is granted.
fn signing_in() -> Post<'static> {
    granted()
        .set("grant_type", "password")
        .set("client_id", NOTEBOOK)
        .without("client_secret")
        .and("username", "ana@contoso.example")
        .and("password", PASSWORD)
}

fn token(answer: &Answer) -> String {
    let body = answer.json();
    body["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[tokio::test]
async fn a_user_with_the_role_signs_in_and_asks() {
    let app = app();
    let answer = signing_in().send(&app).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let scope = format!("{AUDIENCE}/Ip.Read.All {AUDIENCE}/Machine.Read");
    assert_eq!(answer.json()["scope"], scope.as_str());
    assert_eq!(app.get_as(&token(&answer), PATH).await.status, StatusCode::OK);
    let other_case = signing_in().set("username", "Ana@Contoso.Example").send(&app).await;
    assert_eq!(app.get_as(&token(&other_case), PATH).await.status, StatusCode::OK);
    let without_role = signing_in().set("username", "bob@contoso.example").send(&app).await;
    let answer = app.get_as(&token(&without_role), PATH).await;
    assert_eq!(answer.error().0, 403);
    assert!(answer.message().contains("'View Data'"), "{}", answer.message());
}

#[tokio::test]
async fn a_users_token_has_the_shape_of_entras() {
    let app = app();
    let v1 = claims(&signing_in().send(&app).await);
    let v2 = signing_in().path("/contoso/oauth2/v2.0/token").without("resource");
    let v2 = claims(
        &v2.and("scope", "https://api.securitycenter.microsoft.com/Ip.Read.All openid").send(&app).await,
    );
    for (claims, version, scopes) in [(&v1, "1.0", "Ip.Read.All Machine.Read"), (&v2, "2.0", "Ip.Read.All")] {
        assert_eq!(claims["ver"], version);
        assert_eq!(claims["scp"], scopes);
        assert_eq!(claims["oid"], ANA);
        assert_eq!(claims["tid"], CONTOSO);
        assert_eq!(claims["name"], "ana@contoso.example");
        assert_eq!(claims["groups"], json!(["soc", "eeeeeeee-0000-4000-8000-000000000001"]));
        assert_ne!(claims["sub"], claims["oid"]);
        assert!(claims.get("roles").is_none(), "nothing that could be taken for an application's permission");
    }
    assert_eq!((v1["appid"].as_str(), v1["appidacr"].as_str()), (Some(NOTEBOOK), Some("0")));
}

#[tokio::test]
async fn an_application_with_a_secret_proves_it_first_and_gives_no_more_than_it_may() {
    let app = app();
    let portal = || signing_in().set("client_id", PORTAL);
    assert_eq!(
        refusal(&portal().send(&app).await),
        (400, "invalid_request".to_owned()),
        "without its secret"
    );
    let wrong = portal().and("client_secret", "wrong").send(&app).await;
    assert_eq!(refusal(&wrong), (401, "invalid_client".to_owned()));
    let answer = portal().and("client_secret", &SECRET.0).send(&app).await;
    assert_eq!(claims(&answer)["scp"], "Machine.Read");
    let forbidden = app.get_as(&token(&answer), PATH).await;
    assert_eq!(forbidden.error().0, 403, "what it may do for itself it may not do for users");
    assert!(forbidden.message().contains("Missing scopes"), "{}", forbidden.message());
}

#[tokio::test]
async fn refusals_of_users_are_those_of_rfc_6749() {
    let app = app();
    let scope = |text| signing_in().without("resource").and("scope", text);
    let requests = [
        (signing_in().set("password", "wrong password"), 400, "invalid_grant"),
        (signing_in().set("username", "nobody@contoso.example"), 400, "invalid_grant"),
        (signing_in().set("username", "eve@fabrikam.example"), 400, "invalid_grant"),
        (
            signing_in().path("/fabrikam/oauth2/token").set("username", "eve@fabrikam.example"),
            400,
            "invalid_request",
        ),
        (signing_in().without("username"), 400, "invalid_request"),
        (signing_in().set("password", ""), 400, "invalid_request"),
        (signing_in().and("client_secret", "public clients have none"), 401, "invalid_client"),
        (signing_in().set("client_id", READER).and("client_secret", &SECRET.0), 400, "unauthorized_client"),
        (signing_in().set("grant_type", "client_credentials"), 400, "invalid_request"),
        (
            signing_in().set("grant_type", "client_credentials").and("client_secret", "x"),
            401,
            "invalid_client",
        ),
        (scope("https://api.securitycenter.microsoft.com/Alert.Read"), 400, "invalid_scope"),
        (scope("https://graph.microsoft.com/Ip.Read.All"), 400, "invalid_scope"),
        (scope("Ip.Read.All"), 400, "invalid_scope"),
        (scope("openid profile"), 400, "invalid_scope"),
        (
            scope(
                "https://api.security.microsoft.com/.default https://api.securitycenter.windows.com/.default",
            ),
            400,
            "invalid_scope",
        ),
    ];
    for (request, status, code) in requests {
        let asked = format!("{} {:?}", request.path, request.form);
        let answer = request.send(&app).await;
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{asked}: {}", answer.text);
        assert!(!answer.text.contains(PASSWORD) && !answer.text.contains(&SECRET.0), "{asked}");
    }
}

#[tokio::test]
async fn guessing_passwords_has_to_wait_whether_there_is_such_a_user_or_not() {
    let app = app();
    assert_eq!(signing_in().send(&app).await.status, StatusCode::OK, "remembered from here on");
    for name in ["ana@contoso.example", "nobody@contoso.example"] {
        let guess = |password: &'static str| signing_in().set("username", name).set("password", password);
        let mut refusals = Vec::new();
        for _ in 0..10 {
            refusals.push(refusal(&guess("wrong password").send(&app).await));
        }
        assert!(refusals.iter().all(|refusal| *refusal == (400, "invalid_grant".to_owned())), "{refusals:?}");
        for password in ["wrong password", PASSWORD] {
            let answer = guess(password).send(&app).await;
            assert_eq!(refusal(&answer), (429, "temporarily_unavailable".to_owned()), "{name}");
            assert_eq!(answer.header("retry-after"), "60");
        }
    }
    app.token_clock.advance(60);
    assert_eq!(signing_in().send(&app).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_the_configuration_takes_away_ends_at_once() {
    let tables = |parts: &[&str]| parts.concat();
    let (applications, users) = (applications(), users());
    let app = app();
    let bearer = token(&signing_in().send(&app).await);
    let status = async || app.get_as(&bearer, PATH).await.status.as_u16();
    assert_eq!(status().await, 200);
    let all = tables(&[&applications, &users, ROLE]);
    for (settings, expected) in [
        (tables(&[&applications, &users]), 403),
        (all.replace("groups = ['soc', ", "groups = ["), 403),
        (all.replace("['Ip.Read.All', 'Machine.Read']", "['Machine.Read']"), 403),
        (tables(&[&applications, ROLE]), 401),
        (tables(&[&users, ROLE]), 401),
    ] {
        app.reload(&settings);
        assert_eq!(status().await, expected, "{settings}");
        app.reload(&all);
        assert_eq!(status().await, 200);
    }
}

#[tokio::test]
async fn an_application_that_is_removed_or_loses_its_permission_is_refused_at_once() {
    let app = TestApp::with(&applications(), &[("laptop", "10.209.67.177", NOW)]);
    let form = granted().set("client_id", PORTAL).send(&app).await;
    let bearer = token(&form);
    assert_eq!(app.get_as(&bearer, PATH).await.status, StatusCode::OK);
    app.reload(
        &applications().replace("\npermissions = ['Ip.Read.All']", "\npermissions = ['Machine.Read.All']"),
    );
    assert_eq!(app.get_as(&bearer, PATH).await.error().0, 403);
    app.reload("");
    let answer = app.get_as(&bearer, PATH).await;
    assert_eq!(answer.error().0, 401);
    assert!(answer.message().contains("not known here any more"), "{}", answer.message());
}

#[tokio::test]
async fn made_up_user_names_do_not_keep_applications_out() {
    let app = Arc::new(app());
    let mut strangers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let app = Arc::clone(&app);
        strangers.spawn(async move {
            let made_up = uuid::Uuid::new_v4().to_string();
            signing_in().set("username", &made_up).send(&app).await.status.as_u16()
        });
    }
    tokio::task::yield_now().await;
    assert_eq!(granted().send(&app).await.status, StatusCode::OK);
    let statuses = strangers.join_all().await;
    assert!(statuses.contains(&503), "the queue was full: {statuses:?}");
}

#[tokio::test]
async fn the_audit_log_names_who_signs_in_if_there_is_such_a_one() {
    let settings = ["audit_log = 'audit.log'\n", &applications(), &users()].concat();
    let app = TestApp::with(&settings, &[]);
    for request in [
        signing_in(),
        signing_in().set("password", "typed wrong"),
        signing_in().without("password"),
        signing_in().set("username", PASSWORD),
        signing_in().set("client_id", PASSWORD),
        granted().and("username", "ana@contoso.example"),
    ] {
        request.send(&app).await;
    }
    let file = app.config.data_dir.with_file_name("audit.log");
    let mut text = String::new();
    for _ in 0..500 {
        text = fs::read_to_string(&file).unwrap();
        if text.lines().count() == 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named: Vec<_> =
        lines.map(|line| json!([line["application"], line["user"], line["status"]])).collect();
    let ana = "ana@contoso.example";
    let expected = [
        json!([NOTEBOOK, ana, 200]),
        json!([NOTEBOOK, ana, 400]),
        json!([NOTEBOOK, ana, 400]),
        json!([NOTEBOOK, null, 400]),
        json!([null, ana, 400]),
        json!([READER, null, 200]),
    ];
    assert_eq!(named, expected);
    assert!(!text.contains(PASSWORD) && !text.contains("typed wrong"), "{text}");
}
