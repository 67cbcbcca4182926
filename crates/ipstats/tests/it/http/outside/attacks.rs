//! Tokens in the name of an outside issuer that must not open anything, each attack by its name.

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn the_token_that_the_attacks_start_from_is_good() {
    let (idp, app) = entra().await;
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
}

#[tokio::test]
async fn alg_none() {
    let (idp, app) = entra().await;
    for alg in ["none", "None", "nOnE", ""] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": "one"});
        assert_refused(&app, &format!("{}.{}.", part(&header), part(&entra_claims(&idp))), "malformed").await;
    }
}

#[tokio::test]
async fn hs256_with_the_public_key_as_secret() {
    let (idp, app) = entra().await;
    let published = public("one", &RSA[0], Algorithm::RS256);
    let modulus = published["n"].as_str().unwrap().to_owned();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&modulus).unwrap();
    for secret in [published.to_string().as_bytes(), modulus.as_bytes(), &bytes] {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &entra_claims(&idp), &EncodingKey::from_secret(secret)).unwrap();
        assert_refused(&app, &token, "signature").await;
    }
}

#[tokio::test]
async fn a_symmetric_key_in_the_key_set() {
    let (idp, app) = entra().await;
    let secret = BASE64_URL_SAFE_NO_PAD.encode("everybody can read this");
    idp.publish(&[json!({"kty": "oct", "kid": "one", "alg": "HS256", "k": secret})]);
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(b"everybody can read this");
    assert_refused(&app, &encode(&header, &entra_claims(&idp), &key).unwrap(), "known key").await;
}

#[tokio::test]
async fn a_key_for_encryption() {
    let (idp, app) = entra().await;
    idp.publish(&[with(public("one", &RSA[0], Algorithm::RS256), "use", json!("enc"))]);
    assert_refused(&app, &sign(&entra_claims(&idp)), "known key").await;
}

#[tokio::test]
async fn another_algorithm_than_the_keys() {
    let (idp, app) = entra().await;
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(algorithm) };
        assert_refused(&app, &encode(&header, &entra_claims(&idp), &RSA[0]).unwrap(), "signature").await;
    }
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
    assert_refused(&app, &encode(&header, &entra_claims(&idp), &EC).unwrap(), "signature").await;
}

#[tokio::test]
async fn the_key_of_somebody_else() {
    let (idp, app) = entra().await;
    let forged = encode(&header("one"), &entra_claims(&idp), &RSA[1]).unwrap();
    assert_refused(&app, &forged, "signature").await;
}

#[tokio::test]
async fn another_audience() {
    let (idp, app) = entra().await;
    for audience in [json!("https://graph.microsoft.com"), json!([]), json!("")] {
        assert_refused(&app, &sign(&with(entra_claims(&idp), "aud", audience)), "audience").await;
    }
    let idp = Idp::start("/{tenantid}/v2.0").await;
    let app = super::app(&settings(&idp, "audiences = ['api://ipstats']"));
    assert_refused(&app, &sign(&entra_claims(&idp)), "audience").await;
    assert_eq!(status(&app, &with(entra_claims(&idp), "aud", json!("api://ipstats"))).await, 200);
}

#[tokio::test]
async fn another_issuer() {
    let (idp, app) = entra().await;
    let good = idp.issuer().replace("{tenantid}", CONTOSO);
    for issuer in [
        idp.issuer(),
        format!("{good}/"),
        good.to_uppercase(),
        good.replace(CONTOSO, "33333333-3333-4333-8333-333333333333"),
        good.replace("127.0.0.1", "localhost"),
        format!("https://sts.windows.net/{CONTOSO}/"),
        String::new(),
    ] {
        assert_refused(&app, &sign(&with(entra_claims(&idp), "iss", json!(issuer))), "issuer").await;
    }
    let ours = format!("http://127.0.0.1:8080/{CONTOSO}/");
    assert_refused(&app, &sign(&with(entra_claims(&idp), "iss", json!(ours))), "known key").await;
}

#[tokio::test]
async fn the_key_of_one_issuer_in_the_name_of_another() {
    let (idp, other) = (Idp::start("/{tenantid}/v2.0").await, Idp::start("/other").await);
    other.publish(&[public("two", &RSA[1], Algorithm::RS256)]);
    let second = settings(&other, "kind = 'rfc9068'\norganization = 'fabrikam'").replace("'idp'", "'other'");
    let app = super::app(&[settings(&idp, ""), second].concat());
    let token = encode(&header("two"), &entra_claims(&idp), &RSA[1]).unwrap();
    assert_refused(&app, &token, "known key").await;
}

#[tokio::test]
async fn a_key_of_all_tenants_for_a_tenant_whose_issuer_is_written_out() {
    let (common, exact) = (Idp::start("/{tenantid}/v2.0").await, Idp::start("/v2.0").await);
    exact.publish(&[public("two", &RSA[1], Algorithm::RS256)]);
    let issuer = common.issuer().replace("{tenantid}", CONTOSO);
    exact.state.lock().unwrap().issuer.clone_from(&issuer);
    let discovery = format!("discovery_url = '{}/'", exact.address);
    let exact = settings(&exact, &discovery).replace("'idp'", "'exact'");
    let common_settings = settings(&common, "");
    for order in [[&common_settings, &exact], [&exact, &common_settings]] {
        let app = super::app(&order.map(String::as_str).concat());
        assert_refused(&app, &sign(&entra_claims(&common)), "known key").await;
        let token = encode(&header("two"), &entra_claims(&common), &RSA[1]).unwrap();
        assert_eq!(app.get_as(&token, PATH).await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn times_with_a_fraction_give_no_time_away() {
    let (idp, app) = entra().await;
    let skew = 60.0;
    #[expect(clippy::cast_precision_loss, reason = "seconds are far from 2^53")]
    let now = time(TOKEN_NOW).second() as f64;
    let claims = |name, value: f64| with(entra_claims(&idp), name, json!(value));
    assert_eq!(status(&app, &claims("exp", now + 3600.5)).await, 200);
    assert_eq!(status(&app, &claims("nbf", now - 0.5)).await, 200);
    assert_refused(&app, &sign(&claims("exp", now - skew + 0.5)), "expired").await;
    assert_refused(&app, &sign(&claims("nbf", now + skew + 0.5)), "not valid yet").await;
    for (name, value) in [("exp", 1e300), ("nbf", -1e300)] {
        assert_refused(&app, &sign(&claims(name, value)), "malformed").await;
    }
}

#[tokio::test]
async fn another_tenants_tid() {
    let (idp, app) = entra().await;
    for tenant in [FABRIKAM, "33333333-3333-4333-8333-333333333333", "contoso"] {
        assert_refused(&app, &sign(&with(entra_claims(&idp), "tid", json!(tenant))), "tenant").await;
    }
    assert_refused(&app, &sign(&with(entra_claims(&idp), "tid", json!(null))), "malformed").await;
}

#[tokio::test]
async fn a_key_of_the_common_set_that_is_another_tenants() {
    let (idp, app) = entra().await;
    let one = public("one", &RSA[0], Algorithm::RS256);
    let theirs = idp.issuer().replace("{tenantid}", FABRIKAM);
    idp.publish(&[with(one.clone(), "issuer", json!(theirs))]);
    assert_refused(&app, &sign(&entra_claims(&idp)), "issuer").await;
    let (idp, app) = entra().await;
    idp.publish(&[with(one, "issuer", json!(idp.issuer()))]);
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
}

#[tokio::test]
async fn expired_also_when_it_was_good_before() {
    let (idp, app) = entra().await;
    let token = sign(&entra_claims(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    app.token_clock.advance(3600 + 59);
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK, "clocks may differ by a minute");
    app.token_clock.advance(1);
    assert_refused(&app, &token, "expired").await;
}

#[tokio::test]
async fn not_yet_valid() {
    let (idp, app) = entra().await;
    let at = |seconds: i64| json!(time(TOKEN_NOW).second() + seconds);
    assert_refused(&app, &sign(&with(entra_claims(&idp), "nbf", at(61))), "not valid yet").await;
    assert_eq!(status(&app, &with(entra_claims(&idp), "nbf", at(60))).await, 200);
    let idp = Idp::start("/{tenantid}/v2.0").await;
    let app = super::app(&settings(&idp, "clock_skew = '0 s'"));
    assert_refused(&app, &sign(&with(entra_claims(&idp), "nbf", at(1))), "not valid yet").await;
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
}

#[tokio::test]
async fn no_kid() {
    let (idp, app) = entra().await;
    for kid in [None, Some(String::new())] {
        let header = Header { kid, ..Header::new(Algorithm::RS256) };
        assert_refused(&app, &encode(&header, &entra_claims(&idp), &RSA[0]).unwrap(), "known key").await;
    }
}

#[tokio::test]
async fn a_flood_of_unknown_kids_does_not_reach_the_provider() {
    let (idp, app) = entra().await;
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
    assert_eq!(idp.key_requests(), 1);
    for number in 0..300 {
        let token = encode(&header(&format!("made-up-{number}")), &entra_claims(&idp), &RSA[1]).unwrap();
        assert_refused(&app, &token, "known key").await;
    }
    assert_eq!(idp.key_requests(), 2, "the first one could have been new; the others wait for their time");
    app.token_clock.advance(30);
    let token = encode(&header("made-up"), &entra_claims(&idp), &RSA[1]).unwrap();
    assert_refused(&app, &token, "known key").await;
    assert_eq!(idp.key_requests(), 3);
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200, "who has a good token notices nothing");
}

#[tokio::test]
async fn keys_that_the_token_brings_along() {
    let (idp, app) = entra().await;
    let attacker = Idp::start("/attacker").await;
    let jwk: Jwk = serde_json::from_value(public("one", &RSA[1], Algorithm::RS256)).unwrap();
    let brought = Header {
        jku: Some(format!("{}/keys", attacker.address)),
        x5u: Some(format!("{}/certificate", attacker.address)),
        x5c: Some(vec!["MIIB".to_owned()]),
        jwk: Some(jwk),
        ..header("one")
    };
    assert_refused(&app, &encode(&brought, &entra_claims(&idp), &RSA[1]).unwrap(), "signature").await;
    let unknown = Header { kid: Some("mine".to_owned()), ..brought };
    assert_refused(&app, &encode(&unknown, &entra_claims(&idp), &RSA[1]).unwrap(), "known key").await;
    assert!(attacker.state.lock().unwrap().asked.is_empty(), "nothing in a token is ever fetched");
}

#[tokio::test]
async fn a_token_of_1_mb() {
    let (idp, app) = entra().await;
    let long = with(entra_claims(&idp), "padding", json!("x".repeat(1 << 20)));
    assert_refused(&app, &sign(&long), "malformed").await;
    assert!(idp.state.lock().unwrap().asked.is_empty(), "it is not even looked at");
}

#[tokio::test]
async fn a_token_that_is_no_access_token() {
    let (idp, app) = entra().await;
    for typ in ["logout+jwt", "dpop+jwt", "id_token+jwt"] {
        let header = Header { typ: Some(typ.to_owned()), ..header("one") };
        assert_refused(&app, &encode(&header, &entra_claims(&idp), &RSA[0]).unwrap(), "not an access").await;
    }
    // An ID token of Entra: no application in it.
    assert_refused(&app, &sign(&with(entra_claims(&idp), "azp", json!(null))), "malformed").await;
    let bound = with(entra_claims(&idp), "cnf", json!({"jkt": "0ZcOCORZNYy"}));
    assert_refused(&app, &sign(&bound), "bound to a key").await;
    for typ in ["at+jwt", "application/at+jwt", "JWT"] {
        let header = Header { typ: Some(typ.to_owned()), ..header("one") };
        let token = encode(&header, &entra_claims(&idp), &RSA[0]).unwrap();
        assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK, "{typ}");
    }
}

#[tokio::test]
async fn a_token_of_one_organization_that_asks_for_the_data_of_another() {
    let (idp, app) = entra().await;
    let claims = with(entra_claims(&idp), "iss", json!(idp.issuer().replace("{tenantid}", FABRIKAM)));
    let theirs = sign(&with(claims, "tid", json!(FABRIKAM)));
    let paths = [
        PATH.to_owned(),
        format!("{PATH}?tenantId={CONTOSO}&tid={CONTOSO}&organization=contoso&lookBackHours=720"),
        PATH.replace("/api/", "/api/v1.0/"),
    ];
    for path in &paths {
        let request = get(path)
            .header("Authorization", format!("Bearer {theirs}"))
            .header("Host", format!("{CONTOSO}.example.org"))
            .header("X-Forwarded-Host", "contoso")
            .header("X-Tenant-Id", CONTOSO)
            .header("x-ms-client-tenant-id", CONTOSO)
            .header("X-Organization", "contoso");
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.error(), (404, "ResourceNotFound".to_owned()), "{path}: {}", answer.text);
    }
    for path in [
        format!("/{CONTOSO}{PATH}"),
        format!("/contoso{PATH}"),
        format!("/api/{CONTOSO}/ips/10.209.67.177/stats"),
    ] {
        assert_eq!(app.get_as(&theirs, &path).await.error(), (404, "NotFound".to_owned()), "{path}");
    }
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200, "the data is there, for its own organization");
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer() {
    let idp = Idp::start("/tenant").await;
    let app = super::app(&settings(&idp, "kind = 'rfc9068'\norganization = 'contoso'"));
    idp.state.lock().unwrap().issuer = "https://attacker.example".to_owned();
    let claims = with(entra_claims(&idp), "iss", json!(format!("{}/tenant", idp.address)));
    let answer = app.get_as(&sign(&claims), PATH).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable".to_owned()), "its keys are not even fetched");
    assert_eq!(idp.key_requests(), 0);
}
