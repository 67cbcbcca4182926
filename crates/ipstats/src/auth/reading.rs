//! From the claims of a verified token to a caller: in whose name it speaks, on whose behalf, and what it was granted.
//!
//! Whether a token is an application's own or a user's decides what its permissions mean, so that rule fails closed: what
//! is not certainly an application's is a user's, and what names no user is nobody's.

use super::caller::{Caller, User};
use super::claims::{Claims, WrongType};
use super::roles::{Groups, Roles};
use super::verifier::TokenRefused;
use crate::config::{ClaimNames, ClaimPath, IssuerKind, Principal, RolePermission, TokenContext};
use ipstats_model::Organization;
use serde_json::Value;
use strum::VariantArray as _;

/// How the tokens of an issuer are read.
pub(super) struct Reading {
    pub(super) kind: IssuerKind,
    pub(super) claims: ClaimNames,
    pub(super) contexts: Vec<TokenContext>,
}

impl From<WrongType> for TokenRefused {
    fn from(_: WrongType) -> Self {
        Self::Malformed
    }
}

impl Reading {
    /// How tokens shaped as Entra's are read, as those of the built-in authority are.
    pub(super) fn of_entra() -> Self {
        let kind = IssuerKind::Entra;
        let contexts = TokenContext::VARIANTS.to_vec();
        Self { kind, claims: ClaimNames::usual(kind), contexts }
    }

    /// The caller behind `claims`, which speaks for `organization`.
    pub(super) fn caller(
        &self,
        claims: &Claims,
        organization: Organization,
        roles: &Roles,
    ) -> Result<Caller, TokenRefused> {
        let application = self.application(claims)?;
        let context = self.context(claims, &application)?;
        if !self.contexts.contains(&context) {
            return Err(TokenRefused::Context);
        }
        match context {
            TokenContext::Application => {
                let permissions = self.permissions(claims)?;
                Ok(Caller::application(organization, application, permissions))
            }
            TokenContext::Delegated => {
                let user = self.user(claims, organization, roles)?;
                Ok(Caller::delegated(organization, application, self.scopes(claims), user))
            }
        }
    }

    pub(super) fn application(&self, claims: &Claims) -> Result<String, TokenRefused> {
        for path in &self.claims.application {
            if let Some(application) = claims.text(path)?.filter(|text| !text.is_empty()) {
                return Ok(application.to_owned());
            }
        }
        Err(TokenRefused::Malformed)
    }

    fn context(&self, claims: &Claims, application: &str) -> Result<TokenContext, TokenRefused> {
        let other = |name: &str| claims.others.get(name);
        let is = |name: &str, expected: &str| other(name).and_then(Value::as_str) == Some(expected);
        let is_application = match self.kind {
            IssuerKind::Entra => other("idtyp").is_none() || is("idtyp", "app"),
            IssuerKind::Keycloak => is("client_id", application),
            IssuerKind::Auth0 => {
                is("gty", "client-credentials") && is("sub", &format!("{application}@clients"))
            }
            // A user whose name is that of a client is still a user who authenticated.
            IssuerKind::Rfc9068 => {
                is("sub", application) && ["auth_time", "acr", "amr"].iter().all(|name| other(name).is_none())
            }
        };
        // Keycloak's tokens of other kinds (ID, Refresh, …) say so.
        if self.kind == IssuerKind::Keycloak && !is("typ", "Bearer") {
            return Err(TokenRefused::NotAccess);
        }
        // Present, whatever it holds: a user is behind it.
        let has_scp = other("scp").is_some();
        Ok(if is_application && !has_scp { TokenContext::Application } else { TokenContext::Delegated })
    }

    fn permissions(&self, claims: &Claims) -> Result<Vec<String>, TokenRefused> {
        Ok(match self.kind {
            IssuerKind::Entra => claims.list(&self.claims.permissions)?,
            _ => claims.words(&self.claims.permissions)?,
        })
    }

    /// What may be done for the user. Of Entra it is a text; what is none of the expected types grants nothing.
    fn scopes(&self, claims: &Claims) -> Vec<String> {
        match (self.kind, claims.find(&self.claims.scopes)) {
            (IssuerKind::Entra, Some(Value::Array(_))) => Vec::new(),
            _ => claims.words(&self.claims.scopes).unwrap_or_default(),
        }
    }

    fn user(&self, claims: &Claims, organization: Organization, roles: &Roles) -> Result<User, TokenRefused> {
        let name = claims.text(&self.claims.user)?.filter(|text| !text.is_empty());
        let Some(name) = name else { return Ok(User::unknown()) };
        let groups = groups(claims, self.claims.groups.as_ref())?;
        let principal = Principal::named(name);
        let may_view_data = roles.permit(RolePermission::ViewData, organization, &principal, &groups);
        Ok(User { name: Some(name.to_owned()), may_view_data, groups_left_out: groups == Groups::LeftOut })
    }
}

/// The user's groups. Entra leaves them out where they are too many, and says so in `_claim_names` or `hasgroups`.
fn groups(claims: &Claims, path: Option<&ClaimPath>) -> Result<Groups, WrongType> {
    let Some(path) = path else { return Ok(Groups::Listed(Vec::new())) };
    if claims.find(path).is_none() {
        let elsewhere = claims.others.get("_claim_names").and_then(|names| names.get(path.as_str()));
        if elsewhere.is_some() || claims.others.get("hasgroups").is_some_and(|has| *has != Value::Bool(false))
        {
            return Ok(Groups::LeftOut);
        }
    }
    let groups = claims.list(path)?;
    Ok(Groups::Listed(groups.iter().map(|group| Principal::named(group)).collect()))
}
