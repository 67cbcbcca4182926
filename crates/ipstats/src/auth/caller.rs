//! Who is asking, and what they were granted.

use super::claims::Claims;
use ipstats_model::Organization;
use serde_json::Value;
use std::fmt;

/// Who is asking: the outcome of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose data may be read: the token's `tid`.
    pub organization: Organization,
    /// The application that asks: the token's `appid` or `azp`.
    pub application: String,
    context: Context,
}

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// "Read IP address profiles".
    IpReadAll,
}

/// On whose behalf the application asks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Context {
    /// On its own.
    Application { roles: Vec<String> },
    /// On a user's. The user's `roles` are no permissions of the application and are not even kept.
    Delegated { scopes: Vec<String> },
}

/// The caller is known but was not granted what the operation needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// An application without the permission.
    #[error("Missing application roles. API required roles: {required}, application roles: {}.", held.join(","))]
    ApplicationRole {
        /// What the operation needs.
        required: Permission,
        /// What the token holds.
        held: Vec<String>,
    },
    /// A delegated token without the permission.
    #[error("Missing scopes. API required scopes: {required}, delegated scopes: {}.", held.join(","))]
    Scope {
        /// What the operation needs.
        required: Permission,
        /// What the token holds.
        held: Vec<String>,
    },
    /// A user who holds no role with 'View Data'.
    #[error("Missing user permission: the signed-in user holds no role with the permission 'View Data'.")]
    ViewData,
}

impl Caller {
    /// The caller behind the claims of a verified token.
    pub(super) fn new(organization: Organization, application: String, claims: Claims) -> Self {
        let context = match claims.scp {
            None => Context::Application { roles: claims.roles },
            Some(Value::String(scopes)) => {
                Context::Delegated { scopes: scopes.split_ascii_whitespace().map(str::to_owned).collect() }
            }
            Some(_) => Context::Delegated { scopes: Vec::new() },
        };
        Self { organization, application, context }
    }

    /// Whether the caller holds `permission`, or what is missing.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        let holds = |held: &[String]| held.iter().any(|name| name == permission.name());
        match &self.context {
            Context::Application { roles } if holds(roles) => Ok(()),
            Context::Application { roles } => {
                Err(Forbidden::ApplicationRole { required: permission, held: roles.clone() })
            }
            // Nobody holds 'View Data': roles of users cannot be configured.
            Context::Delegated { scopes } if holds(scopes) => Err(Forbidden::ViewData),
            Context::Delegated { scopes } => {
                Err(Forbidden::Scope { required: permission, held: scopes.clone() })
            }
        }
    }
}

impl Permission {
    fn name(self) -> &'static str {
        match self {
            Self::IpReadAll => "Ip.Read.All",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
