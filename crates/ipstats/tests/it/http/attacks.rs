//! Tokens that must not open anything, each attack by its name.

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

const PATH: &str = "/api/ips/10.209.67.177/stats";

/// Claims of a token that opens [`PATH`].
fn good_claims() -> Value {
    let now = time(TOKEN_NOW).second();
    json!({
        "iss": format!("http://127.0.0.1:8080/{CONTOSO}/"), "aud": AUDIENCE, "tid": CONTOSO, "appid": READER,
        "roles": ["Ip.Read.All"], "iat": now, "nbf": now, "exp": now + 60,
    })
}

fn good_header() -> Header {
    Header { kid: KEY.0.jwks().next().unwrap().common.key_id.clone(), ..Header::new(Algorithm::RS256) }
}

fn sign(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_rsa_pem(KEY.1.as_bytes()).unwrap()).unwrap()
}

fn with(name: &str, value: Value) -> String {
    let mut claims = good_claims();
    claims[name] = value;
    sign(&good_header(), &claims)
}

fn without(name: &str) -> String {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name);
    sign(&good_header(), &claims)
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn app() -> TestApp {
    TestApp::with("", &[("laptop", "10.209.67.177", NOW)])
}

async fn assert_refused(app: &TestApp, token: &str, why: &str) {
    let answer = app.get_as(token, PATH).await;
    assert_eq!(answer.error(), (401, "Unauthorized".to_owned()), "{}", answer.text);
    assert!(answer.message().contains(why), "{why}: {}", answer.message());
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer error=\"invalid_token\"") && challenge.contains(why),
        "{challenge}"
    );
}

#[tokio::test]
async fn the_token_that_the_attacks_start_from_is_good() {
    assert_eq!(app().get_as(&sign(&good_header(), &good_claims()), PATH).await.status, StatusCode::OK);
}

#[tokio::test]
async fn alg_none() {
    let app = app();
    for alg in ["none", "None", ""] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": KEY.0.jwks().next().unwrap().common.key_id});
        let unsigned = format!("{}.{}.", part(&header), part(&good_claims()));
        assert_refused(&app, &unsigned, "malformed").await;
    }
}

#[tokio::test]
async fn hs256_with_the_public_key_as_secret() {
    let app = app();
    let header = Header { kid: good_header().kid, ..Header::new(Algorithm::HS256) };
    let published = serde_json::to_string(KEY.0.jwks().next().unwrap()).unwrap();
    let modulus =
        serde_json::to_value(KEY.0.jwks().next().unwrap()).unwrap()["n"].as_str().unwrap().to_owned();
    for secret in
        [published.as_bytes(), modulus.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(&modulus).unwrap()]
    {
        let token = encode(&header, &good_claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert_refused(&app, &token, "signature").await;
    }
}

#[tokio::test]
async fn another_algorithm_of_the_same_key() {
    let app = app();
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let header = Header { kid: good_header().kid, ..Header::new(algorithm) };
        assert_refused(&app, &sign(&header, &good_claims()), "signature").await;
    }
}

#[tokio::test]
async fn changed_claims_or_a_cut_signature() {
    let app = app();
    let good = sign(&good_header(), &good_claims());
    assert_eq!(app.get_as(&good, PATH).await.status, StatusCode::OK, "remembered from here on");
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let mut claims = good_claims();
    claims["exp"] = json!(time(TOKEN_NOW).second() + 6000);
    assert_refused(&app, &format!("{header}.{}.{signature}", part(&claims)), "signature").await;
    assert_refused(&app, &good[..good.len() - 4], "signature").await;
    assert_refused(&app, &format!("{good}.x"), "malformed").await;
    assert_refused(&app, &good.replace('.', ""), "malformed").await;
}

#[tokio::test]
async fn wrong_aud() {
    let app = app();
    for audience in
        [json!("https://graph.microsoft.com"), json!([]), json!(["https://graph.microsoft.com"]), json!("")]
    {
        assert_refused(&app, &with("aud", audience), "audience").await;
    }
    assert_eq!(app.get_as(&with("aud", json!(["x", AUDIENCE])), PATH).await.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_iss() {
    let app = app();
    for issuer in [
        format!("https://sts.windows.net/{CONTOSO}/"),
        format!("http://127.0.0.1:8080/{CONTOSO}"),
        "http://127.0.0.1:8080/33333333-3333-4333-8333-333333333333/".to_owned(),
        String::new(),
    ] {
        assert_refused(&app, &with("iss", json!(issuer)), "issuer").await;
    }
}

#[tokio::test]
async fn other_tid() {
    let app = app();
    for tenant in [FABRIKAM, "33333333-3333-4333-8333-333333333333", "contoso", ""] {
        assert_refused(&app, &with("tid", json!(tenant)), "tenant").await;
    }
    let theirs = format!("http://127.0.0.1:8080/{FABRIKAM}/");
    assert_refused(&app, &with("iss", json!(theirs)), "tenant").await;
}

#[tokio::test]
async fn expired_also_when_it_was_good_before() {
    let app = app();
    let good = sign(&good_header(), &good_claims());
    assert_eq!(app.get_as(&good, PATH).await.status, StatusCode::OK);
    app.token_clock.advance(59);
    assert_eq!(app.get_as(&good, PATH).await.status, StatusCode::OK);
    app.token_clock.advance(1);
    assert_refused(&app, &good, "expired").await;
}

#[tokio::test]
async fn not_yet_valid() {
    let app = app();
    let early = with("nbf", json!(time(TOKEN_NOW).second() + 30));
    assert_refused(&app, &early, "not valid yet").await;
    app.token_clock.advance(30);
    assert_eq!(app.get_as(&early, PATH).await.status, StatusCode::OK, "a refusal is not remembered");
}

#[tokio::test]
async fn missing_claims_and_claims_of_wrong_types() {
    let app = app();
    for name in ["iss", "aud", "exp", "tid", "appid"] {
        assert_refused(&app, &without(name), "malformed").await;
    }
    for (name, value) in [
        ("exp", json!("9999999999")),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("nbf", json!("0")),
        ("roles", json!("Ip.Read.All")),
        ("iss", json!(["x"])),
        ("tid", json!(1)),
    ] {
        assert_refused(&app, &with(name, value), "malformed").await;
    }
}

#[tokio::test]
async fn no_kid_and_unknown_kid() {
    let app = app();
    for kid in [None, Some(String::new()), Some("../../../dev/null".to_owned()), Some("' OR 1=1".to_owned())]
    {
        let header = Header { kid, ..good_header() };
        assert_refused(&app, &sign(&header, &good_claims()), "known key").await;
    }
}

#[tokio::test]
async fn jku_and_jwk_headers_are_ignored() {
    let app = app();
    let folder = tempfile::tempdir().unwrap();
    let attacker = SigningKey::load_or_create(folder.path()).unwrap();
    let pem = fs::read_to_string(folder.path().join("signing-key.pem")).unwrap();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let header = Header {
        jku: Some("http://127.0.0.1:1/keys".to_owned()),
        jwk: Some(attacker.jwks().next().unwrap().clone()),
        x5u: Some("http://127.0.0.1:1/certificate".to_owned()),
        ..good_header()
    };
    assert_refused(&app, &encode(&header, &good_claims(), &key).unwrap(), "signature").await;
    let header = Header { kid: attacker.jwks().next().unwrap().common.key_id.clone(), ..header };
    assert_refused(&app, &encode(&header, &good_claims(), &key).unwrap(), "known key").await;
}

#[tokio::test]
async fn extensions_that_must_be_understood() {
    let header = Header { crit: Some(vec!["exp".to_owned()]), ..good_header() };
    assert_refused(&app(), &sign(&header, &good_claims()), "malformed").await;
}

#[tokio::test]
async fn a_token_of_1_mb() {
    let app = app();
    assert_refused(&app, &"x".repeat(1 << 20), "malformed").await;
    assert_refused(&app, &with("padding", json!("x".repeat(1 << 20))), "malformed").await;
}

#[tokio::test]
async fn two_authorization_headers_and_other_schemes() {
    let app = app();
    let good = format!("Bearer {}", sign(&good_header(), &good_claims()));
    let send = async |values: &[&str]| {
        let request = values.iter().fold(get(PATH), |request, value| request.header("Authorization", *value));
        app.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(send(&[&good]).await.status, StatusCode::OK);
    assert_eq!(send(&[&good.replace("Bearer", "bearer")]).await.status, StatusCode::OK);
    for values in
        [&[good.as_str(), good.as_str()][..], &["Basic eDp5", &good], &["Basic eDp5"], &["Bearer"], &[""]]
    {
        assert_eq!(send(values).await.error().0, 401, "{values:?}");
    }
    let none = send(&[]).await;
    assert_eq!((none.error().0, none.header("www-authenticate")), (401, "Bearer"));
    let in_query =
        app.send(get(&format!("{PATH}?access_token={}", &good[7..])).body(Body::empty()).unwrap()).await;
    assert_eq!(in_query.error().0, 401, "a token in the URL is none");
}

#[tokio::test]
async fn a_delegated_token_is_never_read_as_an_application_token() {
    let ana = "dddddddd-0000-4000-8000-000000000001";
    let user = format!(
        "[[users]]\nname = 'ana'\norganization = 'contoso'\noid = '{ana}'\npassword_hash = '{}'\n",
        SECRET.1.as_str()
    );
    let app = TestApp::with(&user, &[("laptop", "10.209.67.177", NOW)]);
    let delegated = |scopes: &Value, oid: Value| {
        let mut claims = good_claims();
        (claims["scp"], claims["oid"]) = (scopes.clone(), oid);
        sign(&good_header(), &claims)
    };
    for scopes in [
        json!("Ip.Read.All"),
        json!("Machine.Read Ip.Read.All"),
        json!(""),
        json!(null),
        json!(["Ip.Read.All"]),
        json!("Ip.Read.Allx ip.read.all"),
    ] {
        let answer = app.get_as(&delegated(&scopes, json!(ana)), PATH).await;
        assert_eq!(answer.error(), (403, "Forbidden".to_owned()), "{scopes}");
        let missing = "Missing scopes. API required scopes: Ip.Read.All, delegated scopes: ";
        assert!(answer.message().contains(missing), "{scopes}: {}", answer.message());
        for nobody in [json!(null), json!(""), json!("dddddddd-0000-4000-8000-0000000000ff")] {
            assert_refused(&app, &delegated(&scopes, nobody), "").await;
        }
    }
}

#[tokio::test]
async fn roles_are_matched_whole() {
    let app = app();
    for roles in [json!([]), json!(["Ip.Read.All.X"]), json!(["ip.read.all"]), json!(["Ip.Read.All "])] {
        assert_eq!(app.get_as(&with("roles", roles.clone()), PATH).await.error().0, 403, "{roles}");
    }
    assert_eq!(app.get_as(&without("roles"), PATH).await.error().0, 403);
}
