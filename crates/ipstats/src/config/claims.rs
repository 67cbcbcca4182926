//! Where an outside issuer's tokens say what: the kind of issuer gives the defaults, each of which can be set.

use super::reader::Section;
use super::values::{InvalidValue, words};
use std::fmt;
use std::str::FromStr;
use strum::VariantArray;

/// What kind of issuer it is. The kind decides how an application token is told from a user's: that rule is not
/// configurable, because a wrong one would make users of applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssuerKind {
    /// `entra`: tokens without `scp` are an application's.
    #[default]
    Entra,
    /// `keycloak`: tokens with a `client_id` (which only the session of a service account has) are an application's.
    Keycloak,
    /// `auth0`: tokens whose `gty` is `client-credentials` are an application's.
    Auth0,
    /// `rfc9068`: tokens whose subject is their client are an application's, as RFC 9068, section 2.2, asks for.
    Rfc9068,
}

words!(IssuerKind: "entra" => Self::Entra, "keycloak" => Self::Keycloak, "auth0" => Self::Auth0, "rfc9068" => Self::Rfc9068);

/// On whose behalf a token lets its bearer act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
pub enum TokenContext {
    /// `application`: its own.
    Application,
    /// `delegated`: a user's.
    Delegated,
}

words!(TokenContext: "application" => Self::Application, "delegated" => Self::Delegated);

/// The place of a claim: its name, or a JSON pointer (RFC 6901) to one that lies inside another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

/// Where tokens say what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The application; the first that is there counts.
    pub application: Vec<ClaimPath>,
    /// What an application may do.
    pub permissions: ClaimPath,
    /// What an application may do on a user's behalf.
    pub scopes: ClaimPath,
    /// The user.
    pub user: ClaimPath,
    /// The user's groups; some issuers have no claim for them.
    pub groups: Option<ClaimPath>,
}

/// The table `[issuers.claims]`, over what is usual for `kind`.
pub(super) fn read(mut section: Section<'_>, kind: IssuerKind) -> ClaimNames {
    let usual = ClaimNames::usual(kind);
    let application = section.read("application").map(|path| vec![path]);
    let names = ClaimNames {
        application: application.unwrap_or(usual.application),
        permissions: section.read("permissions").unwrap_or(usual.permissions),
        scopes: section.read("scopes").unwrap_or(usual.scopes),
        user: section.read("user").unwrap_or(usual.user),
        groups: section.read("groups").or(usual.groups),
    };
    if kind == IssuerKind::Entra && names.scopes.as_str() != "scp" {
        section.problem("scopes", "Entra's is scp, and its presence tells users' tokens from applications'; for another issuer set its kind");
    }
    section.finish();
    names
}

impl ClaimNames {
    /// Where the tokens of such an issuer say what, unless it was told otherwise.
    pub fn usual(kind: IssuerKind) -> Self {
        let path = |text: &str| ClaimPath(text.to_owned());
        let (application, permissions, scopes, user, groups) = match kind {
            IssuerKind::Entra => (&["appid", "azp"][..], "roles", "scp", "oid", Some("groups")),
            IssuerKind::Keycloak => (&["azp"][..], "/realm_access/roles", "scope", "sub", Some("groups")),
            IssuerKind::Auth0 => (&["azp"][..], "permissions", "scope", "sub", None),
            IssuerKind::Rfc9068 => (&["client_id"][..], "scope", "scope", "sub", Some("groups")),
        };
        Self {
            application: application.iter().copied().map(path).collect(),
            permissions: path(permissions),
            scopes: path(scopes),
            user: path(user),
            groups: groups.map(path),
        }
    }
}

impl ClaimPath {
    /// The tenant, in tokens shaped as Entra's.
    pub fn tid() -> Self {
        Self("tid".to_owned())
    }

    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClaimPath {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = text.is_empty() || text == "/" || text.len() > 256 || text.chars().any(char::is_control);
        if wrong {
            let expected =
                "a claim (permissions), or a JSON pointer to one inside another (/realm_access/roles)";
            return Err(InvalidValue::new(text, expected));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
