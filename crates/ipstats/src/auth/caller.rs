//! Who is asking, and what they were granted.

use ipstats_model::Organization;
use std::fmt;

/// Who is asking: the outcome of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose data may be read.
    pub organization: Organization,
    /// The application that asks.
    pub application: String,
    pub(super) context: Context,
}

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// "Read IP address profiles".
    IpReadAll,
}

/// On whose behalf the application asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Context {
    /// On its own.
    Application { roles: Vec<String> },
    /// On a user's. The user's `roles` are no permissions of the application and are not even kept.
    Delegated { scopes: Vec<String>, user: User },
}

/// The user on whose behalf an application asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    /// As the token names the user; none where it does not.
    pub(super) name: Option<String>,
    /// Whether the user holds a role with 'View Data'.
    pub(super) may_view_data: bool,
    /// Whether the token left out the user's groups, so that roles given to groups could not be looked for.
    pub(super) groups_left_out: bool,
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
    /// A user in too many groups for a token, and without such a role of their own.
    #[error(
        "Missing user permission: the signed-in user holds no role with the permission 'View Data', and the token leaves \
         out the user's groups because they are too many. Give the role to the user's object id, or let the identity \
         provider send only the groups that are assigned to the application."
    )]
    GroupsLeftOut,
}

impl Caller {
    /// An application that asks on its own.
    pub(super) fn application(organization: Organization, application: String, roles: Vec<String>) -> Self {
        Self { organization, application, context: Context::Application { roles } }
    }

    /// An application that asks on a user's behalf.
    pub(super) fn delegated(
        organization: Organization,
        application: String,
        scopes: Vec<String>,
        user: User,
    ) -> Self {
        Self { organization, application, context: Context::Delegated { scopes, user } }
    }

    /// The user on whose behalf the application asks, as the token names them; none where it asks on its own.
    pub fn user(&self) -> Option<&str> {
        match &self.context {
            Context::Application { .. } => None,
            Context::Delegated { user, .. } => user.name.as_deref(),
        }
    }

    /// Whether the caller holds `permission`, or what is missing.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        let holds = |held: &[String]| held.iter().any(|name| name == permission.name());
        match &self.context {
            Context::Application { roles } if holds(roles) => Ok(()),
            Context::Application { roles } => {
                Err(Forbidden::ApplicationRole { required: permission, held: roles.clone() })
            }
            Context::Delegated { scopes, user } if holds(scopes) => user.require_view_data(),
            Context::Delegated { scopes, .. } => {
                Err(Forbidden::Scope { required: permission, held: scopes.clone() })
            }
        }
    }
}

impl User {
    /// A user whom the token does not name.
    pub(super) fn unknown() -> Self {
        Self { name: None, may_view_data: false, groups_left_out: false }
    }

    fn require_view_data(&self) -> Result<(), Forbidden> {
        match self {
            Self { may_view_data: true, .. } => Ok(()),
            Self { groups_left_out: true, .. } => Err(Forbidden::GroupsLeftOut),
            Self { .. } => Err(Forbidden::ViewData),
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
