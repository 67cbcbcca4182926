//! Users of the built-in authority: people who sign in to an application with a name and a password.

use super::access::{OrganizationEntry, choose, unique};
use super::reader::Section;
use super::roles::Principal;
use super::values::Name;
use crate::secret::SecretHash;
use ipstats_model::Organization;
use std::collections::HashSet;
use uuid::Uuid;

/// Most groups of a user: more would not fit into a token.
const GROUPS_MAX: usize = 200;

/// A user of the built-in authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the user signs in with; unique.
    pub name: String,
    /// `oid` in the user's tokens; unique.
    pub oid: Uuid,
    /// Whose data the user may be shown.
    pub organization: Organization,
    /// What is kept of the password.
    pub password_hash: SecretHash,
    /// `groups` in the user's tokens.
    pub groups: Vec<Principal>,
}

/// The tables `[[users]]`. What is wrong with them is with the reader.
pub(super) fn read(root: &mut Section<'_>, organizations: &[OrganizationEntry]) -> Vec<User> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    let sections = root.sections("users").into_iter();
    sections.filter_map(|section| user(section, organizations, &mut ids, &mut names)).collect()
}

fn user(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    ids: &mut HashSet<Uuid>,
    names: &mut HashSet<String>,
) -> Option<User> {
    let name = section.require::<Name>("name");
    let oid = section.require::<Uuid>("oid");
    let organization = section.require::<Name>("organization");
    let password_hash = section.require::<SecretHash>("password_hash");
    let groups = section.read_list::<Principal>("groups").unwrap_or_default();
    if groups.len() > GROUPS_MAX {
        section.problem(
            "groups",
            format_args!("{} groups do not fit into a token; {GROUPS_MAX} do", groups.len()),
        );
    }
    // People do not write their own names the same way each time.
    let name = name.filter(|name| unique(&section, "name", name.0.to_lowercase(), names));
    let oid = oid.filter(|oid| unique(&section, "oid", *oid, ids));
    let organization = organization.and_then(|asked| {
        choose(organizations, Some(&asked.0)).map_err(|error| section.problem("organization", error)).ok()
    });
    section.finish();
    Some(User {
        name: name?.0,
        oid: oid?,
        organization: organization?,
        password_hash: password_hash?,
        groups,
    })
}

impl User {
    /// Whether this is the user's name, in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}
