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
    Application { roles: Grants },
    /// On a user's. The user's `roles` are no permissions of the application and are not even kept.
    Delegated { scopes: Grants, user: User },
}

/// The permissions in a token, and which of them still hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grants {
    in_token: Vec<String>,
    in_force: Vec<String>,
    /// Whether the application's permissions are others than when the token was issued.
    is_outdated: bool,
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
    #[error(
        "Missing application roles. API required roles: {required}, application roles: {}.{}",
        held.join(","), advice(*is_outdated)
    )]
    ApplicationRole {
        /// What the operation needs.
        required: Permission,
        /// What the token holds.
        held: Vec<String>,
        /// Whether the application's permissions are others than when the token was issued.
        is_outdated: bool,
    },
    /// A delegated token without the permission.
    #[error(
        "Missing scopes. API required scopes: {required}, delegated scopes: {}.{}",
        held.join(","), advice(*is_outdated)
    )]
    Scope {
        /// What the operation needs.
        required: Permission,
        /// What the token holds.
        held: Vec<String>,
        /// Whether the application's permissions are others than when the token was issued.
        is_outdated: bool,
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

/// What to do about a token that was issued under other permissions.
fn advice(is_outdated: bool) -> &'static str {
    if is_outdated {
        " The permissions of the application were changed after this token was issued: get a new token."
    } else {
        ""
    }
}

impl Grants {
    /// The permissions in a token, all of which hold.
    pub(super) fn new(in_token: Vec<String>) -> Self {
        Self { in_force: in_token.clone(), in_token, is_outdated: false }
    }

    /// Of the permissions in the token those that are `permitted` now. `is_outdated` where the token would be issued with
    /// others today.
    pub(super) fn restrict_to(self, permitted: &[String], is_outdated: bool) -> Self {
        let in_force = self.in_force.into_iter().filter(|name| permitted.contains(name)).collect();
        Self { in_token: self.in_token, in_force, is_outdated }
    }

    /// The names in the token, in its order.
    pub(super) fn in_token(&self) -> &[String] {
        &self.in_token
    }

    fn hold(&self, permission: Permission) -> bool {
        self.in_force.iter().any(|name| name == permission.name())
    }
}

impl Caller {
    /// An application that asks on its own.
    pub(super) fn application(organization: Organization, application: String, roles: Vec<String>) -> Self {
        Self { organization, application, context: Context::Application { roles: Grants::new(roles) } }
    }

    /// An application that asks on a user's behalf.
    pub(super) fn delegated(
        organization: Organization,
        application: String,
        scopes: Vec<String>,
        user: User,
    ) -> Self {
        let scopes = Grants::new(scopes);
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
        match &self.context {
            Context::Application { roles } if roles.hold(permission) => Ok(()),
            Context::Application { roles } => Err(Forbidden::ApplicationRole {
                required: permission,
                held: roles.in_token.clone(),
                is_outdated: roles.is_outdated,
            }),
            Context::Delegated { scopes, user } if scopes.hold(permission) => user.require_view_data(),
            Context::Delegated { scopes, .. } => Err(Forbidden::Scope {
                required: permission,
                held: scopes.in_token.clone(),
                is_outdated: scopes.is_outdated,
            }),
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
