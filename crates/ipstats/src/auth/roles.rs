//! What users may do: the roles they hold themselves or through their groups.

use crate::config::{Principal, Role, RolePermission};
use ipstats_model::Organization;

/// The roles of all organizations.
#[derive(Debug, Default)]
pub struct Roles(Vec<Role>);

/// What a token says about the groups of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Groups {
    /// All of them.
    Listed(Vec<Principal>),
    /// That there are too many to list: which ones, nobody knows.
    LeftOut,
}

impl Roles {
    /// These roles.
    pub fn new(roles: &[Role]) -> Self {
        Self(roles.to_vec())
    }

    /// Whether a user of `organization` holds a role with `permission`. Groups that are not listed give none.
    pub(super) fn permit(
        &self,
        permission: RolePermission,
        organization: Organization,
        user: &Principal,
        groups: &Groups,
    ) -> bool {
        let in_group = |group: &Principal| matches!(groups, Groups::Listed(listed) if listed.contains(group));
        let holds = |role: &Role| role.users.contains(user) || role.groups.iter().any(in_group);
        let here = self.0.iter().filter(|role| role.organization == organization);
        here.filter(|role| role.permissions.contains(&permission)).any(holds)
    }
}
