//! Tokens of outside issuers, whose discovery documents and keys come from a real server on loopback.

mod attacks;
mod contexts;
mod keys;
mod kinds;

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use std::sync::Mutex;

const PATH: &str = "/api/ips/10.209.67.177/stats";

/// Making an RSA key takes a while, so all tests share two.
static RSA: LazyLock<[EncodingKey; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let folder = tempfile::tempdir().unwrap();
        SigningKey::load_or_create(folder.path()).unwrap();
        EncodingKey::from_rsa_pem(&fs::read(folder.path().join("signing-key.pem")).unwrap()).unwrap()
    })
});

static EC: LazyLock<EncodingKey> = LazyLock::new(|| {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EncodingKey::from_ec_der(key.as_ref())
});

/// An identity provider.
struct Idp {
    address: String,
    state: Arc<Mutex<IdpState>>,
}

#[derive(Default)]
struct IdpState {
    /// What its discovery document says, whatever path it is asked for at.
    issuer: String,
    keys: Vec<Value>,
    /// The paths that were asked for.
    asked: Vec<String>,
    down: bool,
}

impl Idp {
    /// A provider whose issuer is `issuer` below its address, with the first key as `one`.
    async fn start(issuer: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = IdpState {
            issuer: format!("{address}{issuer}"),
            keys: vec![public("one", &RSA[0], Algorithm::RS256)],
            ..IdpState::default()
        };
        let state = Arc::new(Mutex::new(state));
        let router = Router::new().fallback(answer).with_state((address.clone(), Arc::clone(&state)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state }
    }

    fn issuer(&self) -> String {
        self.state.lock().unwrap().issuer.clone()
    }

    fn publish(&self, keys: &[Value]) {
        self.state.lock().unwrap().keys = keys.to_vec();
    }

    fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    /// How often the key set was asked for.
    fn key_requests(&self) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|path| *path == "/keys").count()
    }
}

async fn answer(
    State((address, state)): State<(String, Arc<Mutex<IdpState>>)>,
    uri: Uri,
) -> axum::response::Response {
    let mut state = state.lock().unwrap();
    state.asked.push(uri.path().to_owned());
    if state.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let body = if uri.path() == "/keys" {
        json!({"keys": state.keys})
    } else {
        json!({"issuer": state.issuer, "jwks_uri": format!("{address}/keys")})
    };
    body.to_string().into_response()
}

/// A key as a key set has it.
fn public(id: &str, key: &EncodingKey, algorithm: Algorithm) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn header(id: &str) -> Header {
    Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::RS256) }
}

/// A token of the provider's first key.
fn sign(claims: &Value) -> String {
    encode(&header("one"), claims, &RSA[0]).unwrap()
}

/// `[[issuers]]` of `idp`, with more settings.
fn settings(idp: &Idp, more: &str) -> String {
    format!("[[issuers]]\nname = 'idp'\nissuer = '{}'\n{more}\n", idp.issuer())
}

/// The service, which has seen connections of contoso.
fn app(settings: &str) -> TestApp {
    TestApp::with(settings, &[("laptop", "10.209.67.177", NOW)])
}

/// An issuer shaped as Entra's for many tenants (version 2), and the service that trusts it.
async fn entra() -> (Idp, TestApp) {
    let idp = Idp::start("/{tenantid}/v2.0").await;
    let app = app(&settings(&idp, ""));
    (idp, app)
}

/// Claims of an application token of contoso, shaped as Entra's.
fn entra_claims(idp: &Idp) -> Value {
    let now = time(TOKEN_NOW).second();
    json!({
        "iss": idp.issuer().replace("{tenantid}", CONTOSO), "aud": AUDIENCE, "tid": CONTOSO,
        "azp": "bbbbbbbb-0000-4000-8000-000000000001", "azpacr": "1", "roles": ["Ip.Read.All"], "ver": "2.0",
        "oid": "cccccccc-0000-4000-8000-000000000001", "sub": "cccccccc-0000-4000-8000-000000000001",
        "iat": now, "nbf": now, "exp": now + 3600,
    })
}

/// `claims` with one of them changed; `null` takes it away.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let object = claims.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name)
    } else {
        object.insert(name.to_owned(), value)
    };
    claims
}

async fn status(app: &TestApp, claims: &Value) -> u16 {
    app.get_as(&sign(claims), PATH).await.status.as_u16()
}

async fn assert_refused(app: &TestApp, token: &str, why: &str) {
    let answer = app.get_as(token, PATH).await;
    assert_eq!(answer.error(), (401, "Unauthorized".to_owned()), "{why}: {}", answer.text);
    assert!(answer.message().contains(why), "{why}: {}", answer.message());
    assert!(answer.header("www-authenticate").contains(why));
}

async fn assert_forbidden(app: &TestApp, claims: &Value, why: &str) {
    let answer = app.get_as(&sign(claims), PATH).await;
    assert_eq!(answer.error(), (403, "Forbidden".to_owned()), "{why}: {}", answer.text);
    assert!(answer.message().contains(why), "{why}: {}", answer.message());
}
