//! What the built-in authority publishes about itself.

use super::*;

#[tokio::test]
async fn the_configuration_leads_to_the_issuer_and_the_keys() {
    let app = TestApp::with("public_urls = ['https://api.example.org']", &[]);
    for (path, issuer) in [
        ("v2.0/.well-known/openid-configuration", format!("https://api.example.org/{CONTOSO}/v2.0")),
        (".well-known/openid-configuration", format!("https://api.example.org/{CONTOSO}/")),
    ] {
        let answer = app.send(get(&format!("/contoso/{path}")).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["issuer"], issuer.as_str());
        let keys = answer.json()["jwks_uri"].as_str().unwrap().to_owned();
        let keys = keys.strip_prefix("https://api.example.org").unwrap();
        let keys = app.send(get(keys).body(Body::empty()).unwrap()).await.json();
        assert_eq!(keys["keys"], json!([KEY.0.jwks().next().unwrap()]));
        let token = answer.json()["token_endpoint"].as_str().unwrap().to_owned();
        let token = get(token.strip_prefix("https://api.example.org").unwrap()).method(Method::POST);
        let answer = app.send(token.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json()["error"], "invalid_request", "there is a token endpoint");
    }
}

#[tokio::test]
async fn nothing_is_published_for_an_organization_that_is_not_known() {
    let app = TestApp::new();
    let unknown = "33333333-3333-4333-8333-333333333333";
    for path in ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "discovery/keys"] {
        let answer = app.send(get(&format!("/{unknown}/{path}")).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (400, Some("invalid_request")));
    }
}
