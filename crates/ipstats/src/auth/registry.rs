//! The applications and users of the built-in authority, as they are configured now.
//!
//! Its tokens are only as good as this: what was removed since a token was issued, the token does not give any more.

use super::caller::{Caller, Context, User};
use super::roles::{Groups, Roles};
use super::verifier::TokenRefused;
use crate::config::{self, Application, Principal, RolePermission};
use ipstats_model::Organization;

/// Applications and users of all organizations.
#[derive(Debug, Default)]
pub struct Registry {
    applications: Vec<Application>,
    users: Vec<config::User>,
}

impl Registry {
    /// These applications and users.
    pub fn new(applications: &[Application], users: &[config::User]) -> Self {
        Self { applications: applications.to_vec(), users: users.to_vec() }
    }

    /// The application of `organization` with this client id.
    pub fn application(&self, organization: Organization, client_id: &str) -> Option<&Application> {
        let id = client_id.parse().ok()?;
        let here = self.applications.iter().filter(|application| application.organization == organization);
        here.into_iter().find(|application| application.client_id == id)
    }

    /// The user of `organization` who signs in with this name.
    pub fn user(&self, organization: Organization, name: &str) -> Option<&config::User> {
        self.users.iter().find(|user| user.organization == organization && user.is_called(name))
    }

    /// What is left of what a token of the built-in authority gave its caller.
    pub(super) fn confirm(&self, caller: Caller, roles: &Roles) -> Result<Caller, TokenRefused> {
        let organization = caller.organization;
        let application =
            self.application(organization, &caller.application).ok_or(TokenRefused::Withdrawn)?;
        let lost = |held: &[String], permitted: &[String]| held.iter().any(|name| !permitted.contains(name));
        let context = match caller.context {
            Context::Application { roles } => {
                // A token holds all permissions that the application had.
                let permitted = &application.permissions;
                let (held, permitted_now) = (roles.in_token(), permitted.as_slice());
                let is_outdated = lost(held, permitted_now) || lost(permitted_now, held);
                Context::Application { roles: roles.restrict_to(permitted, is_outdated) }
            }
            Context::Delegated { scopes, user } => {
                // A client may have asked for some of the permissions only.
                let permitted = &application.delegated_permissions;
                let is_outdated = lost(scopes.in_token(), permitted);
                let user = self.confirm_user(organization, &user, roles)?;
                Context::Delegated { scopes: scopes.restrict_to(permitted, is_outdated), user }
            }
        };
        Ok(Caller { context, ..caller })
    }

    /// The user with the groups and roles of now, whatever the token says.
    fn confirm_user(
        &self,
        organization: Organization,
        user: &User,
        roles: &Roles,
    ) -> Result<User, TokenRefused> {
        let oid = user.name.as_deref().unwrap_or_default();
        let here = self.users.iter().filter(|user| user.organization == organization);
        let known =
            here.into_iter().find(|known| known.oid.to_string() == oid).ok_or(TokenRefused::Withdrawn)?;
        let groups = Groups::Listed(known.groups.clone());
        let may_view_data =
            roles.permit(RolePermission::ViewData, organization, &Principal::named(oid), &groups);
        Ok(User { name: user.name.clone(), may_view_data, groups_left_out: false })
    }
}
