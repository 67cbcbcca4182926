//! The keys of an outside issuer over time: rotation, withdrawal, outages, and how often it is asked.

use super::*;

/// Until when a key counts as the issuer's without asking again: two of the intervals of 10 minutes.
const FRESH_SECONDS: i64 = 1200;
const MAX_AGE_SECONDS: i64 = 24 * 3600;

fn two() -> Value {
    public("two", &RSA[1], Algorithm::RS256)
}

/// Claims of a token that outlives every outage here.
fn lasting(idp: &Idp) -> Value {
    with(entra_claims(idp), "exp", json!(time(TOKEN_NOW).second() + 1_000_000))
}

fn with_two(claims: &Value) -> String {
    encode(&header("two"), claims, &RSA[1]).unwrap()
}

#[tokio::test]
async fn a_new_key_is_known_at_once() {
    let (idp, app) = entra().await;
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
    idp.publish(&[public("one", &RSA[0], Algorithm::RS256), two()]);
    assert_eq!(app.get_as(&with_two(&lasting(&idp)), PATH).await.status, StatusCode::OK);
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
    assert_eq!(idp.key_requests(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_and_the_tokens_it_signed_are_refused_in_time() {
    let (idp, app) = entra().await;
    let token = sign(&lasting(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    idp.publish(&[two()]);
    app.token_clock.advance(FRESH_SECONDS);
    assert_refused(&app, &token, "known key").await;
    assert_eq!(app.get_as(&with_two(&lasting(&idp)), PATH).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_seen_to_be_withdrawn_takes_remembered_tokens_with_it() {
    let (idp, app) = entra().await;
    let token = sign(&lasting(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    idp.publish(&[two()]);
    // A token of the new key makes the service look.
    assert_eq!(app.get_as(&with_two(&lasting(&idp)), PATH).await.status, StatusCode::OK);
    assert_refused(&app, &token, "known key").await;
}

#[tokio::test]
async fn another_key_of_the_same_name_takes_the_place_of_the_first() {
    let (idp, app) = entra().await;
    let token = sign(&lasting(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    idp.publish(&[public("one", &RSA[1], Algorithm::RS256)]);
    app.token_clock.advance(FRESH_SECONDS);
    assert_refused(&app, &token, "signature").await;
    let renewed = encode(&header("one"), &lasting(&idp), &RSA[1]).unwrap();
    assert_eq!(app.get_as(&renewed, PATH).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_outage_is_tolerated_while_the_keys_may_be_believed() {
    let (idp, app) = entra().await;
    let token = sign(&lasting(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    idp.set_down(true);
    app.token_clock.advance(FRESH_SECONDS);
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    // Whether this key is new cannot be told: the client is to try again, not to think its token is bad.
    let answer = app.get_as(&with_two(&lasting(&idp)), PATH).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable".to_owned()));
    app.token_clock.advance(MAX_AGE_SECONDS - FRESH_SECONDS - 1);
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    app.token_clock.advance(1);
    let answer = app.get_as(&token, PATH).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), "10");
    assert!(answer.message().contains("keys of the token's issuer"), "{}", answer.message());
    idp.set_down(false);
    app.token_clock.advance(10);
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK, "it came back");
}

#[tokio::test]
async fn remembered_tokens_do_not_outlast_the_age_of_keys() {
    let idp = Idp::start("/{tenantid}/v2.0").await;
    let app = super::app(&settings(&idp, "keys_refresh = '1 min'\nkeys_max_age = '1 min'"));
    let token = sign(&lasting(&idp));
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    idp.set_down(true);
    app.token_clock.advance(59);
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    app.token_clock.advance(1);
    assert_eq!(app.get_as(&token, PATH).await.error().0, 503);
}

#[tokio::test]
async fn a_provider_that_was_never_reached_is_a_503_and_is_left_in_peace() {
    let (idp, app) = entra().await;
    idp.set_down(true);
    for _ in 0..50 {
        assert_eq!(app.get_as(&sign(&lasting(&idp)), PATH).await.error().0, 503);
    }
    assert_eq!(idp.state.lock().unwrap().asked.len(), 1, "after a failure there is a pause");
    idp.set_down(false);
    app.token_clock.advance(10);
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
}

#[tokio::test]
async fn many_requests_at_once_make_one_fetch() {
    let (idp, app) = entra().await;
    let token = sign(&lasting(&idp));
    let asking = (0..50).map(|_| {
        let (router, token) = (app.router.clone(), token.clone());
        let request =
            get(PATH).header("Authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        tokio::spawn(async move { router.oneshot(request).await.unwrap().status() })
    });
    for answer in asking.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(idp.key_requests(), 1);
}

#[tokio::test]
async fn keys_are_fetched_on_schedule_before_anybody_waits_for_them() {
    let (idp, app) = entra().await;
    let service = Arc::clone(&app.app);
    let keeper = tokio::spawn(async move { service.keep_keys_fresh().await });
    let fetched = async |count: usize| {
        for _ in 0..200 {
            if idp.key_requests() == count {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        false
    };
    assert!(fetched(1).await, "when the service starts");
    app.token_clock.advance(600);
    assert!(fetched(2).await, "and every 10 minutes");
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
    assert_eq!(idp.key_requests(), 2);
    let figures = app.app.issuer_figures();
    assert_eq!((figures[0].name.as_str(), figures[0].keys, figures[0].keys_age_seconds), ("idp", 1, Some(0)));
    assert_eq!((figures[0].fetches, figures[0].fetches_failed), (2, 0));
    keeper.abort();
}

#[tokio::test]
async fn what_happens_to_tokens_is_counted_by_reason() {
    let (idp, app) = entra().await;
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
    assert_eq!(status(&app, &lasting(&idp)).await, 200);
    assert_refused(&app, &sign(&with(lasting(&idp), "aud", json!("x"))), "audience").await;
    app.send(get(PATH).body(Body::empty()).unwrap()).await;
    let figures = app.app.auth_figures();
    assert_eq!((figures.verified(), figures.remembered()), (1, 1));
    let refused: Vec<_> = figures.refused().filter(|(_, count)| *count > 0).collect();
    assert_eq!(refused, [("missing", 1), ("audience", 1)]);
}

#[tokio::test]
async fn key_published_twice_verifies_tokens() {
    let (idp, app) = entra().await;
    let key = public("one", &RSA[0], Algorithm::RS256);
    idp.publish(&[key.clone(), with(key, "x5c", json!(["MIIC"]))]);
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
    let forged = encode(&header("one"), &entra_claims(&idp), &RSA[1]).unwrap();
    assert_refused(&app, &forged, "signature").await;
}

#[tokio::test]
async fn token_chooses_between_key_types_of_one_kid() {
    let (idp, app) = entra().await;
    idp.publish(&[public("one", &RSA[0], Algorithm::RS256), public("one", &EC, Algorithm::ES256)]);
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
    let rsa_header = header("one");
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
    let token = encode(&header, &entra_claims(&idp), &EC).unwrap();
    assert_eq!(app.get_as(&token, PATH).await.status, StatusCode::OK);
    let forged = encode(&rsa_header, &entra_claims(&idp), &RSA[1]).unwrap();
    assert_refused(&app, &forged, "signature").await;
}

#[tokio::test]
async fn ambiguous_kid_is_refused_and_reported() {
    let (idp, app) = entra().await;
    let ambiguous = [0, 1].map(|number| public("one", &RSA[number], Algorithm::RS256));
    idp.publish(&[ambiguous.as_slice(), &[public("two", &RSA[1], Algorithm::RS256)]].concat());
    assert_refused(&app, &sign(&entra_claims(&idp)), "known key").await;
    let good = encode(&header("two"), &entra_claims(&idp), &RSA[1]).unwrap();
    assert_eq!(app.get_as(&good, PATH).await.status, StatusCode::OK, "the other key of the set is usable");
    let figures = app.app.issuer_figures();
    assert_eq!(figures[0].keys_left_out, [("same_kid", 2)].into());
}

#[tokio::test]
async fn key_without_verify_operation_opens_nothing() {
    let (idp, app) = entra().await;
    let mut key = with(public("one", &RSA[0], Algorithm::RS256), "use", Value::Null);
    key["key_ops"] = json!(["encrypt"]);
    idp.publish(&[key.clone()]);
    assert_refused(&app, &sign(&entra_claims(&idp)), "known key").await;
    assert_eq!(app.app.issuer_figures()[0].keys_left_out, [("not_for_signatures", 1)].into());
    key["key_ops"] = json!(["verify"]);
    idp.publish(&[key]);
    app.token_clock.advance(FRESH_SECONDS);
    assert_eq!(status(&app, &entra_claims(&idp)).await, 200);
}

#[tokio::test]
async fn keys_beyond_limit_are_counted() {
    let (idp, app) = entra().await;
    let mut keys: Vec<_> = (0..204).map(|id| public(&format!("{id}"), &RSA[1], Algorithm::RS256)).collect();
    keys.push(public("one", &RSA[0], Algorithm::RS256));
    idp.publish(&keys);
    assert_refused(&app, &sign(&entra_claims(&idp)), "known key").await;
    assert_eq!(app.app.issuer_figures()[0].keys_left_out, [("too_many_keys", 5)].into());
}
