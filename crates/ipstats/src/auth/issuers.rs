//! The issuers that are trusted, the one organization each speaks for, and their keys.

use super::authority::{Authority, LOCAL_ISSUER, TokenVersion, issuer_name};
use super::signing_key::{ALGORITHM, SigningKey};
use ipstats_model::Organization;
use jsonwebtoken::{Algorithm, DecodingKey};
use std::collections::HashMap;

/// Trusted issuers by name.
#[derive(Default)]
pub struct Issuers {
    by_name: HashMap<String, Issuer>,
}

/// One trusted issuer.
pub(super) struct Issuer {
    /// The one organization that its tokens may speak for.
    pub(super) organization: Organization,
    keys: Keys,
}

/// Where the keys of an issuer come from.
enum Keys {
    /// The built-in authority has one key.
    BuiltIn(SigningKey),
}

/// A public key and the one algorithm it is used with.
pub(super) struct VerificationKey<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) public: &'a DecodingKey,
}

impl Issuers {
    /// Trusts the built-in authority to speak for `organizations`, under its public and its local name.
    #[must_use]
    pub fn with_built_in(
        mut self,
        authority: &Authority,
        organizations: impl IntoIterator<Item = Organization>,
    ) -> Self {
        for organization in organizations {
            for version in [TokenVersion::V1, TokenVersion::V2] {
                let names = [
                    authority.issuer(organization, version),
                    issuer_name(LOCAL_ISSUER, organization, version),
                ];
                for name in names {
                    let keys = Keys::BuiltIn(authority.key().clone());
                    self.by_name.insert(name, Issuer { organization, keys });
                }
            }
        }
        self
    }

    pub(super) fn find(&self, name: &str) -> Option<&Issuer> {
        self.by_name.get(name)
    }
}

impl Issuer {
    /// The key with this id.
    pub(super) fn key(&self, id: &str) -> Option<VerificationKey<'_>> {
        match &self.keys {
            Keys::BuiltIn(key) => {
                (key.id == id).then_some(VerificationKey { algorithm: ALGORITHM, public: &key.public })
            }
        }
    }
}
