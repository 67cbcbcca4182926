//! The token endpoints.

use super::*;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

pub(super) struct Post<'a> {
    pub(super) path: &'a str,
    headers: Vec<(&'a str, String)>,
    pub(super) form: Vec<(&'a str, &'a str)>,
}

/// A request that is granted.
pub(super) fn granted() -> Post<'static> {
    let form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", READER),
        ("client_secret", SECRET.0.as_str()),
        ("resource", AUDIENCE),
    ];
    Post { path: "/11111111-1111-4111-8111-111111111111/oauth2/token", headers: Vec::new(), form }
}

impl<'a> Post<'a> {
    pub(super) fn path(mut self, path: &'a str) -> Self {
        self.path = path;
        self
    }

    pub(super) fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.form.retain(|(key, _)| *key != name);
        self
    }

    pub(super) fn and(mut self, name: &'a str, value: &'a str) -> Self {
        self.form.push((name, value));
        self
    }

    pub(super) fn set(self, name: &'a str, value: &'a str) -> Self {
        self.without(name).and(name, value)
    }

    pub(super) async fn send(self, app: &TestApp) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(self.form).finish();
        let mut request = get(self.path).method(Method::POST);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    }
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

pub(super) fn claims(answer: &Answer) -> Value {
    let token =
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Status and OAuth error code.
pub(super) fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert!(body["error_description"].is_string(), "{body}");
    assert_eq!(answer.header("cache-control"), "no-store");
    (answer.status.as_u16(), body["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_answer_is_a_token_that_opens_the_api() {
    let app = TestApp::with("", &[("laptop", "1.2.3.4", NOW)]);
    let answer = granted().send(&app).await;
    let start = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"ey"#;
    assert!(answer.text.starts_with(start), "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.get_as(&token, "/api/ips/1.2.3.4/stats").await.status, StatusCode::OK);
}

#[tokio::test]
async fn claims_have_the_shapes_of_entra() {
    let app = TestApp::new();
    let v1 = claims(&granted().send(&app).await);
    let v2 = granted().path("/contoso/oauth2/v2.0/token").without("resource");
    let v2 = claims(&v2.and("scope", "https://api.securitycenter.microsoft.com/.default").send(&app).await);
    for (claims, version, issuer) in [
        (&v1, "1.0", format!("http://127.0.0.1:8080/{CONTOSO}/")),
        (&v2, "2.0", format!("http://127.0.0.1:8080/{CONTOSO}/v2.0")),
    ] {
        assert_eq!(claims["ver"], version);
        assert_eq!(claims["iss"], issuer.as_str());
        assert_eq!(claims["aud"], AUDIENCE);
        assert_eq!(claims["tid"], CONTOSO);
        assert_eq!(claims["roles"], json!(["Machine.Read.All", "Ip.Read.All"]));
        assert_eq!(claims["exp"].as_i64().unwrap(), time(TOKEN_NOW).second() + 3599);
        assert_eq!(claims["nbf"], claims["iat"]);
        assert_eq!(claims["oid"], claims["sub"]);
        assert!(claims.get("scp").is_none());
    }
    assert_eq!((v1["appid"].as_str(), v1["appidacr"].as_str()), (Some(READER), Some("1")));
    assert_eq!((v2["azp"].as_str(), v2["azpacr"].as_str()), (Some(READER), Some("1")));
    assert!(v1.get("azp").is_none() && v2.get("appid").is_none());
    assert_eq!(v1["oid"], v2["oid"], "the object of an application is always the same");
    assert_ne!(v1["uti"], v2["uti"], "each token has its own id");
}

#[tokio::test]
async fn the_form_is_read_however_real_clients_send_it() {
    let app = TestApp::new();
    let v2 = "/11111111-1111-4111-8111-111111111111/oauth2/v2.0/token";
    let form_type = "application/x-www-form-urlencoded;charset=utf-8";
    let requests = [
        ("without a content type", granted()),
        ("with a charset", granted().header("Content-Type", form_type)),
        ("with another content type", granted().header("Content-Type", "text/plain")),
        (
            "with parameters of the URL",
            granted().path("/contoso/oauth2/token?client-request-id=1&grant_type=x"),
        ),
        (
            "with unknown fields",
            granted().and("client_info", "1").and("x-client-SKU", "MSAL").and("x-client-OS", ""),
        ),
        (
            "with a slash behind the resource",
            granted().set("resource", "https://api.securitycenter.windows.com/"),
        ),
        ("with neither resource nor scope", granted().without("resource")),
        ("with a resource at the v2 endpoint", granted().path(v2)),
        ("with the audience's id", granted().set("resource", "fc780465-2017-40d4-a0c5-307022471b92")),
        (
            "with a scope",
            granted()
                .without("resource")
                .and("scope", "https://api.security.microsoft.com/.default")
                .path(v2),
        ),
        (
            "with a scope at the v1 endpoint and two slashes",
            granted().without("resource").and("scope", "https://api.security.microsoft.com//.default"),
        ),
        (
            "with several scopes",
            granted().without("resource").and(
                "scope",
                "openid https://securitycenter.onmicrosoft.com/windowsatpservice/.default offline_access",
            ),
        ),
        (
            "with HTTP Basic",
            granted()
                .without("client_id")
                .without("client_secret")
                .header("Authorization", basic(READER, &SECRET.0)),
        ),
        (
            "with HTTP Basic, percent-encoded, and the same client id in the form",
            granted().without("client_secret").header(
                "Authorization",
                basic(&READER.replace('-', "%2D"), &SECRET.0).replace("Basic", "basic"),
            ),
        ),
    ];
    for (how, request) in requests {
        let answer = request.send(&app).await;
        assert_eq!(answer.status, StatusCode::OK, "{how}: {}", answer.text);
    }
}

#[tokio::test]
async fn every_audience_of_the_configuration_is_issued_as_it_is_spelled_there() {
    let app = TestApp::new();
    for audience in &app.config.audiences {
        assert_eq!(claims(&granted().set("resource", audience).send(&app).await)["aud"], audience.as_str());
    }
    let app = TestApp::with("audiences = ['api://ours']", &[]);
    assert_eq!(refusal(&granted().send(&app).await), (400, "invalid_resource".to_owned()));
    assert_eq!(claims(&granted().set("resource", "api://ours").send(&app).await)["aud"], "api://ours");
}

#[tokio::test]
async fn refusals_are_those_of_rfc_6749() {
    let app = TestApp::new();
    let requests = [
        (granted().without("grant_type"), 400, "invalid_request"),
        (granted().set("grant_type", "authorization_code"), 400, "unsupported_grant_type"),
        (granted().without("client_id"), 400, "invalid_request"),
        (granted().without("client_secret"), 400, "invalid_request"),
        (granted().set("client_secret", ""), 400, "invalid_request"),
        (granted().and("client_id", READER), 400, "invalid_request"),
        (granted().and("resource", AUDIENCE), 400, "invalid_request"),
        (granted().set("resource", "https://graph.microsoft.com"), 400, "invalid_resource"),
        (granted().without("resource").and("scope", "openid"), 400, "invalid_scope"),
        (
            granted().without("resource").and("scope", "https://graph.microsoft.com/.default"),
            400,
            "invalid_scope",
        ),
        (granted().set("client_secret", "wrong"), 401, "invalid_client"),
        (granted().set("client_id", "aaaaaaaa-0000-4000-8000-00000000ffff"), 401, "invalid_client"),
        (granted().set("client_id", "no guid"), 401, "invalid_client"),
        (granted().path("/nobody/oauth2/token"), 400, "invalid_request"),
        (granted().path("/%ff/oauth2/token"), 400, "invalid_request"),
        (granted().header("Authorization", "Basic !!!"), 401, "invalid_client"),
        (granted().header("Authorization", "Bearer x"), 401, "invalid_client"),
        (granted().header("Authorization", basic(READER, &SECRET.0)), 400, "invalid_request"),
        (
            granted().without("client_secret").header("Authorization", basic(STRANGER, &SECRET.0)),
            400,
            "invalid_request",
        ),
    ];
    for (request, status, code) in requests {
        let asked = format!("{} {:?}", request.path, request.form);
        let answer = request.send(&app).await;
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{asked}");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{asked}");
        assert!(!answer.text.contains(&SECRET.0), "{asked}");
    }
}

#[tokio::test]
async fn an_application_gets_tokens_of_its_own_organization_only() {
    let app = TestApp::new();
    let theirs = granted().set("client_id", FABRIKAM_READER);
    assert_eq!(refusal(&theirs.send(&app).await), (401, "invalid_client".to_owned()));
    let theirs = granted().path("/fabrikam/oauth2/token").set("client_id", FABRIKAM_READER);
    assert_eq!(claims(&theirs.send(&app).await)["tid"], FABRIKAM);
    let ours = granted().path("/fabrikam/oauth2/token");
    assert_eq!(refusal(&ours.send(&app).await), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn who_guesses_gets_one_guess_at_a_time_and_does_not_lock_out_who_knows() {
    let app = TestApp::new();
    let wrong = || granted().set("client_secret", "wrong");
    let two = async || {
        let (one, other) = tokio::join!(wrong().send(&app), wrong().send(&app));
        [one, other]
    };
    for _ in 0..5 {
        assert_eq!(two().await.map(|answer| refusal(&answer).0), [401, 401]);
    }
    app.token_clock.advance(20);
    let [one, other] = two().await;
    assert_eq!(refusal(&one).0, 401);
    assert_eq!(refusal(&other), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(other.header("retry-after"), "1");
    // The service has just been started: nothing is remembered.
    assert_eq!(granted().send(&app).await.status, StatusCode::OK);
    let (guess, known) = tokio::join!(wrong().send(&app), granted().send(&app));
    assert_eq!((refusal(&guess).0, known.status), (401, StatusCode::OK), "a proven secret waits for nobody");
    app.token_clock.advance(40);
    assert_eq!(two().await.map(|answer| refusal(&answer).0), [401, 401]);
}

#[tokio::test]
async fn made_up_client_ids_do_not_keep_applications_out() {
    let app = Arc::new(TestApp::new());
    let mut strangers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let app = Arc::clone(&app);
        strangers.spawn(async move {
            let made_up = uuid::Uuid::new_v4().to_string();
            granted().set("client_id", &made_up).send(&app).await.status.as_u16()
        });
    }
    tokio::task::yield_now().await;
    assert_eq!(granted().send(&app).await.status, StatusCode::OK);
    assert_eq!(strangers.join_all().await, [401; 100]);
}

#[tokio::test]
async fn a_form_has_a_longest_length() {
    let app = TestApp::new();
    let long = "x".repeat(70_000);
    let answer = granted().and("padding", &long).send(&app).await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn body_that_is_not_a_form_is_named() {
    let app = TestApp::new();
    let body = format!(r#"{{"grant_type":"client_credentials","client_id":"{READER}"}}"#);
    let post = |content_type: &'static str, body: String| {
        let request = Request::post("/contoso/oauth2/v2.0/token").header("Content-Type", content_type);
        app.send(request.body(Body::from(body)).unwrap())
    };
    for (content_type, body, kind) in [
        ("application/json", body.clone(), "JSON"),
        ("application/json; charset=utf-8", String::new(), "JSON"),
        ("application/x-www-form-urlencoded", format!(" {body}"), "JSON"),
        ("multipart/form-data; boundary=x", "--x".to_owned(), "multipart/form-data"),
    ] {
        let answer = post(content_type, body).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
        let description = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.contains(&format!("its body is {kind}:")), "{description}");
        assert!(description.contains("Content-Type: application/x-www-form-urlencoded"), "{description}");
    }
    // A form is read whatever its `Content-Type` is.
    assert_eq!(granted().header("Content-Type", "application/json").send(&app).await.status, StatusCode::OK);
    let answer = granted().without("grant_type").send(&app).await;
    assert_eq!(answer.json()["error_description"], "the request has no parameter grant_type");
}

#[tokio::test]
async fn client_assertion_is_not_supported() {
    let app = TestApp::new();
    let asserted = || {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        granted()
            .without("client_secret")
            .and("client_assertion_type", kind)
            .and("client_assertion", "e30.e30.x")
    };
    for request in [asserted(), asserted().without("client_id")] {
        let answer = request.send(&app).await;
        assert_eq!(refusal(&answer), (401, "invalid_client".to_owned()));
        let description = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.starts_with("client assertions"), "{description}");
        assert!(
            description.contains("not supported") && description.contains("client_secret"),
            "{description}"
        );
    }
    // The secret counts, and unknown fields do not.
    assert_eq!(granted().and("client_assertion", "x").send(&app).await.status, StatusCode::OK);
}

#[tokio::test]
async fn government_audiences_are_accepted() {
    let app = TestApp::with("", &[("laptop", "1.2.3.4", NOW)]);
    for audience in
        ["https://api-gcc.securitycenter.microsoft.us", "https://api-gov.securitycenter.microsoft.us"]
    {
        let scope = format!("{audience}/.default");
        for request in
            [granted().set("resource", audience), granted().without("resource").and("scope", &scope)]
        {
            let answer = request.send(&app).await;
            assert_eq!(claims(&answer)["aud"], audience);
            let token = answer.json()["access_token"].as_str().unwrap().to_owned();
            assert_eq!(app.get_as(&token, "/api/ips/1.2.3.4/stats").await.status, StatusCode::OK);
        }
    }
}
