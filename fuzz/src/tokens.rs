//! Bearer tokens: heads, claims and who is behind them, signed and not.
//!
//! The input is the head and the claims of a token with a zero byte between them; `$kid` in the head stands for the id of the
//! key. Signed with that key, the claims are read to the end.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ipstats::auth::{Authority, Figures, Issuers, Permission, Registry, Roles, SigningKey, Trust, Verifier};
use ipstats::config::Application;
use ipstats_model::{Organization, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

/// Whose tokens the verifier knows.
const TENANT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const CLIENT: &str = "11111111-2222-4333-8444-555555555555";
const AUDIENCE: &str = "api://ipstats";
const NOW: Timestamp = Timestamp::from_second(1_793_527_200);

struct Service {
    verifier: Verifier,
    private: EncodingKey,
    kid: String,
}

static SERVICE: LazyLock<Service> = LazyLock::new(Service::new);

impl Service {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(folder.path()).unwrap();
        let pem = std::fs::read(folder.path().join("signing-key.pem")).unwrap();
        let organization: Organization = TENANT.parse().unwrap();
        let application = Application {
            name: "fuzz".to_owned(),
            client_id: CLIENT.parse().unwrap(),
            organization,
            secret_hash: None,
            permissions: vec!["Ip.Read.All".to_owned()],
            delegated_permissions: vec!["Ip.Read.All".to_owned()],
        };
        let kid = key.jwks().next().unwrap().common.key_id.clone().unwrap();
        let authority = Authority::new(key, "https://ipstats.example.org");
        let trust = Trust {
            issuers: Issuers::default().with_built_in(&authority, [organization]),
            audiences: vec![AUDIENCE.to_owned()],
            registry: Arc::new(Registry::new(&[application], &[])),
            // No role: no user may do anything.
            roles: Roles::new(&[]),
        };
        let verifier = Verifier::new(trust, Arc::<Figures>::default());
        Self { verifier, private: EncodingKey::from_rsa_pem(&pem).unwrap(), kid }
    }

    /// Whether the application itself may read with this token; none where it is refused.
    fn verify(&self, token: &[u8]) -> Option<bool> {
        let mut verified = pin!(self.verifier.verify(token, NOW));
        // Keys of the built-in authority are at hand: nothing waits.
        match verified.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(caller) => Some(caller.ok()?.require(Permission::IpReadAll).is_ok()),
            Poll::Pending => panic!("it waits"),
        }
    }
}

/// A token of any head and claims.
pub fn tokens(data: &[u8]) {
    let service = &*SERVICE;
    assert_eq!(service.verify(data), None, "no token, or one that nobody signed");
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(head), Some(claims)) = (parts.next(), parts.next()) else { return };
    let head = String::from_utf8_lossy(head).replace("$kid", &service.kid);
    let [head, claims_text] = [head.as_bytes(), claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let content = format!("{head}.{claims_text}");
    for nobody in [format!("{content}."), format!("{content}.AAAA")] {
        assert_eq!(service.verify(nobody.as_bytes()), None, "it is not signed");
    }
    let signature = crypto::sign(content.as_bytes(), &service.private, Algorithm::RS256).unwrap();
    if service.verify(format!("{content}.{signature}").as_bytes()) == Some(true) {
        let claims: Value = serde_json::from_slice(claims).unwrap();
        assert!(claims["exp"].as_f64().unwrap() > 0.0 && claims.get("cnf").is_none(), "{claims}");
        assert!(claims.get("scp").is_none(), "a user counts as an application: {claims}");
        assert!(claims.get("idtyp").is_none_or(|kind| kind == "app"), "{claims}");
    }
}
