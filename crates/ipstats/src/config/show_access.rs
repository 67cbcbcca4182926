//! Users, roles and outside issuers as a configuration file has them, secrets masked.

use super::duration::Duration;
use super::{ClaimPath, IssuerEntry, KeyLocation, OrganizationRule, Principal, RolePermission};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Serialize)]
pub(super) struct User<'a> {
    name: &'a str,
    oid: String,
    organization: String,
    password_hash: &'static str,
    groups: Vec<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Role<'a> {
    name: &'a str,
    organization: String,
    permissions: Vec<&'static str>,
    groups: Vec<&'a str>,
    users: Vec<&'a str>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "they are the keys of the configuration")]
pub(super) struct Issuer<'a> {
    name: &'a str,
    issuer: &'a str,
    kind: String,
    audiences: &'a [String],
    contexts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_claim: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<&'a Path>,
    ca_only: bool,
    allow_http: bool,
    keys_refresh: String,
    keys_max_age: String,
    clock_skew: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_values: Option<BTreeMap<&'a str, String>>,
    claims: Claims<'a>,
}

#[derive(Serialize)]
struct Claims<'a> {
    application: Option<&'a str>,
    permissions: &'a str,
    scopes: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a str>,
}

impl<'a> User<'a> {
    pub(super) fn of(user: &'a super::User) -> Self {
        Self {
            name: &user.name,
            oid: user.oid.to_string(),
            organization: user.organization.to_string(),
            password_hash: "(hidden)",
            groups: user.groups.iter().map(Principal::as_str).collect(),
        }
    }
}

impl<'a> Role<'a> {
    pub(super) fn of(role: &'a super::Role) -> Self {
        Self {
            name: &role.name,
            organization: role.organization.to_string(),
            permissions: role.permissions.iter().copied().map(RolePermission::name).collect(),
            groups: role.groups.iter().map(Principal::as_str).collect(),
            users: role.users.iter().map(Principal::as_str).collect(),
        }
    }
}

impl<'a> Issuer<'a> {
    pub(super) fn of(entry: &'a IssuerEntry) -> Self {
        let (mut organization, mut organizations, mut organization_claim, mut organization_values) =
            (None, None, None, None);
        match &entry.organization {
            OrganizationRule::Fixed(fixed) => organization = Some(fixed.to_string()),
            OrganizationRule::TenantId(allowed) => {
                organizations = Some(allowed.iter().map(ToString::to_string).collect());
            }
            OrganizationRule::Claim { claim, values } => {
                organization_claim = Some(claim.as_str());
                let values = values.iter().map(|(value, id)| (value.as_str(), id.to_string()));
                organization_values = Some(values.collect());
            }
        }
        let keys = &entry.keys;
        let (jwks_url, discovery_url) = match &keys.location {
            KeyLocation::KeySet(url) => (Some(url.as_str()), None),
            KeyLocation::Discovery(url) => (None, Some(url.as_str())),
        };
        Self {
            name: &entry.name,
            issuer: &entry.issuer,
            kind: entry.kind.to_string(),
            audiences: &entry.audiences,
            contexts: entry.contexts.iter().map(ToString::to_string).collect(),
            organization,
            organizations,
            organization_claim,
            jwks_url,
            discovery_url,
            ca_file: keys.authorities.as_ref().map(|authorities| authorities.file.as_path()),
            ca_only: keys.authorities.as_ref().is_some_and(|authorities| authorities.are_only),
            allow_http: keys.allow_http,
            keys_refresh: Duration::of_seconds(keys.refresh_seconds).to_string(),
            keys_max_age: Duration::of_seconds(keys.max_age_seconds).to_string(),
            clock_skew: Duration::of_seconds(entry.clock_skew_seconds).to_string(),
            organization_values,
            claims: claims(entry),
        }
    }
}

/// The alternatives of an application's claim are only ever the usual ones of the kind: they are left out.
fn claims(entry: &IssuerEntry) -> Claims<'_> {
    let application = match entry.claims.application.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    Claims {
        application,
        permissions: entry.claims.permissions.as_str(),
        scopes: entry.claims.scopes.as_str(),
        user: entry.claims.user.as_str(),
        groups: entry.claims.groups.as_ref().map(ClaimPath::as_str),
    }
}
