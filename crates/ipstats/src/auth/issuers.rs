//! The issuers that are trusted, whom each speaks for, and their keys.

use super::authority::{Authority, LOCAL_ISSUER, TokenVersion, issuer_name};
use super::claims::Claims;
use super::figures::IssuerFigures;
use super::keys::Key;
use super::provider::{NoKey, Provider};
use super::reading::Reading;
use super::signing_key::ALGORITHM;
use super::verifier::TokenRefused;
use crate::config::{ClaimPath, IssuerEntry, OrganizationRule, TENANT_PLACEHOLDER};
use ipstats_model::{Organization, Timestamp};
use jsonwebtoken::Algorithm;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Trusted issuers by name, to the letter. One that issues for many tenants has a name for each of them that is known.
#[derive(Default)]
pub struct Issuers {
    by_name: HashMap<String, Issuer>,
    providers: Vec<Arc<Provider>>,
}

/// A trusted issuer under one of its names.
#[derive(Clone)]
pub(super) enum Issuer {
    /// The built-in authority, for one organization.
    BuiltIn { organization: Organization, keys: BuiltInKeys },
    /// Another one.
    Outside {
        /// The tenant in its name, where there is one.
        tenant: Option<Organization>,
        issuer: Arc<Outside>,
    },
}

/// The keys of the built-in authority by their ids; a handful.
type BuiltInKeys = Arc<[(String, Arc<Key>)]>;

/// What is known about an outside issuer.
pub(super) struct Outside {
    pub(super) reading: Reading,
    audiences: HashSet<String>,
    clock_skew_seconds: i64,
    organization: OrganizationRule,
    provider: Arc<Provider>,
}

impl Issuers {
    /// Trusts the built-in authority to speak for `organizations`, under its public and its local name.
    #[must_use]
    pub fn with_built_in(
        mut self,
        authority: &Authority,
        organizations: impl IntoIterator<Item = Organization>,
    ) -> Self {
        let keys = authority.key().verifying().iter();
        let keys = keys.map(|key| (key.id.clone(), Arc::new(Key::built_in(ALGORITHM, key.public.clone()))));
        let keys: BuiltInKeys = keys.collect();
        for organization in organizations {
            for version in [TokenVersion::V1, TokenVersion::V2] {
                let names = [
                    authority.issuer(organization, version),
                    issuer_name(LOCAL_ISSUER, organization, version),
                ];
                for name in names {
                    let keys = Arc::clone(&keys);
                    self.by_name.insert(name, Issuer::BuiltIn { organization, keys });
                }
            }
        }
        self
    }

    /// Trusts `entries`, and never over what is trusted already. A name that is written out is that entry's, whatever
    /// entries of many tenants cover it, above or below. Keys that were fetched for `before` are kept where
    /// they come from the same place.
    #[must_use]
    pub fn with_outside(mut self, entries: &[IssuerEntry], before: Option<&Self>) -> Self {
        let (multi_tenant, written_out): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.is_multi_tenant());
        for entry in written_out.into_iter().chain(multi_tenant) {
            let known = before.iter().flat_map(|before| &before.providers);
            let known = known.into_iter().find(|provider| provider.is_of(&entry.name, &entry.keys));
            let provider =
                known.cloned().unwrap_or_else(|| Arc::new(Provider::new(&entry.name, &entry.keys)));
            self.providers.push(Arc::clone(&provider));
            let issuer = Arc::new(Outside::new(entry, provider));
            for (name, tenant) in entry.issuer_names() {
                let issuer = Issuer::Outside { tenant, issuer: Arc::clone(&issuer) };
                self.by_name.entry(name).or_insert(issuer);
            }
        }
        self
    }

    pub(super) fn find(&self, name: &str) -> Option<&Issuer> {
        self.by_name.get(name)
    }

    pub(super) fn refresh_on_schedule(&self, now: Timestamp) {
        self.providers.iter().for_each(|provider| provider.refresh_on_schedule(now));
    }

    pub(super) fn figures(&self, now: Timestamp) -> Vec<IssuerFigures> {
        self.providers.iter().map(|provider| provider.figures(now)).collect()
    }
}

impl Issuer {
    /// The key with this id, for `algorithm` where several have it.
    pub(super) async fn key(
        &self,
        id: &str,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Key>, TokenRefused> {
        match self {
            Self::BuiltIn { keys, .. } => {
                let known = keys.iter().find(|(known, _)| known == id);
                known.map(|(_, key)| Arc::clone(key)).ok_or(TokenRefused::Key)
            }
            Self::Outside { issuer, .. } => {
                issuer.provider.key(id, algorithm, now).await.map_err(|error| match error {
                    NoKey::Unknown => TokenRefused::Key,
                    NoKey::Unavailable => TokenRefused::KeysUnavailable,
                })
            }
        }
    }

    /// Whether a key of its set may sign tokens under `name`. Entra's set for all tenants has keys of some only.
    pub(super) fn may_sign(&self, key: &Key, name: &str) -> bool {
        if key.issuers.is_empty() {
            return true;
        }
        key.issuers.iter().any(|issuer| match self {
            Self::BuiltIn { .. } => false,
            Self::Outside { tenant: Some(tenant), .. } => {
                issuer.replace(TENANT_PLACEHOLDER, &tenant.to_string()) == name
            }
            Self::Outside { tenant: None, .. } => issuer == name,
        })
    }

    /// Whether its tokens may be made out to `audience`; `usual` are those of the built-in authority.
    pub(super) fn accepts_audience(&self, audience: &str, usual: &HashSet<String>) -> bool {
        match self {
            Self::BuiltIn { .. } => usual.contains(audience),
            Self::Outside { issuer, .. } => issuer.audiences.contains(audience),
        }
    }

    /// How far its clock may be off.
    pub(super) fn clock_skew_seconds(&self) -> i64 {
        match self {
            Self::BuiltIn { .. } => 0,
            Self::Outside { issuer, .. } => issuer.clock_skew_seconds,
        }
    }

    /// The organization that a token speaks for.
    pub(super) fn organization(
        &self,
        claims: &Claims,
        tid: &ClaimPath,
    ) -> Result<Organization, TokenRefused> {
        let named = claims.text(tid)?.map(str::parse::<Organization>);
        match self {
            Self::BuiltIn { organization, .. } => match named.ok_or(TokenRefused::Malformed)? {
                Ok(tenant) if tenant == *organization => Ok(tenant),
                _ => Err(TokenRefused::Tenant),
            },
            Self::Outside { tenant, issuer } => {
                // Where both the issuer and the token name a tenant, it is the same.
                let differ = |named| tenant.is_some_and(|tenant| named != Ok(tenant));
                if named.clone().is_some_and(differ) {
                    return Err(TokenRefused::Tenant);
                }
                match &issuer.organization {
                    OrganizationRule::Fixed(organization) => Ok(*organization),
                    OrganizationRule::TenantId(allowed) => {
                        let tenant =
                            named.ok_or(TokenRefused::Malformed)?.map_err(|_| TokenRefused::Tenant)?;
                        allowed.contains(&tenant).then_some(tenant).ok_or(TokenRefused::Tenant)
                    }
                    OrganizationRule::Claim { claim, values } => {
                        let value = claims.text(claim)?.ok_or(TokenRefused::Malformed)?;
                        values.get(value).copied().ok_or(TokenRefused::Tenant)
                    }
                }
            }
        }
    }
}

impl Outside {
    fn new(entry: &IssuerEntry, provider: Arc<Provider>) -> Self {
        Self {
            reading: Reading {
                kind: entry.kind,
                claims: entry.claims.clone(),
                contexts: entry.contexts.clone(),
            },
            audiences: entry.audiences.iter().cloned().collect(),
            clock_skew_seconds: entry.clock_skew_seconds,
            organization: entry.organization.clone(),
            provider,
        }
    }
}
