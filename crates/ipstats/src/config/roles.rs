//! Roles of users: what whoever holds them may do.

use super::access::{OrganizationEntry, choose, unique};
use super::reader::Section;
use super::values::{InvalidValue, Name};
use ipstats_model::Organization;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A role in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What people call it; unique in its organization.
    pub name: String,
    /// Where it counts.
    pub organization: Organization,
    /// What it permits.
    pub permissions: Vec<RolePermission>,
    /// Groups whose members hold it, as tokens name them in `groups`.
    pub groups: Vec<Principal>,
    /// Users who hold it, as tokens name them in `oid`.
    pub users: Vec<Principal>,
}

/// A permission of a role, by the name that Defender's portal gives it. Only 'View Data' opens anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolePermission {
    /// 'View Data'.
    ViewData,
    /// Another one of Defender's, by its number in the list of their names.
    Other(&'static str),
}

/// Defender's other permissions: a role may be written down as it is there.
const OTHERS: [&str; 6] = [
    "Active remediation actions",
    "Alerts investigation",
    "Manage portal system settings",
    "Manage security settings in Security Center",
    "Manage system settings",
    "Live response capabilities",
];

/// A user or a group, as tokens name it. GUIDs have one spelling, whatever is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(String);

/// The tables `[[roles]]`. What is wrong with them is with the reader.
pub(super) fn read(root: &mut Section<'_>, organizations: &[OrganizationEntry]) -> Vec<Role> {
    let mut names = HashSet::new();
    root.sections("roles")
        .into_iter()
        .filter_map(|section| role(section, organizations, &mut names))
        .collect()
}

fn role(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    names: &mut HashSet<(Organization, String)>,
) -> Option<Role> {
    let name = section.require::<Name>("name");
    let organization = section.require::<Name>("organization");
    let permissions = section.read_list("permissions");
    let groups = section.read_list("groups").unwrap_or_default();
    let users = section.read_list("users").unwrap_or_default();
    let organization = organization.and_then(|asked| {
        choose(organizations, Some(&asked.0)).map_err(|error| section.problem("organization", error)).ok()
    });
    let name = name
        .zip(organization)
        .filter(|(name, organization)| unique(&section, "name", (*organization, name.0.clone()), names));
    section.finish();
    let (name, organization) = name?;
    Some(Role { name: name.0, organization, permissions: permissions.unwrap_or_default(), groups, users })
}

impl RolePermission {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ViewData => "View Data",
            Self::Other(name) => name,
        }
    }
}

impl FromStr for RolePermission {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case(Self::ViewData.name()) {
            return Ok(Self::ViewData);
        }
        let other = OTHERS.into_iter().find(|name| name.eq_ignore_ascii_case(text)).map(Self::Other);
        let known = || [&[Self::ViewData.name()], &OTHERS[..]].concat().join(", ");
        other.ok_or_else(|| InvalidValue::new(text, format!("a permission of a role; known are {}", known())))
    }
}

impl fmt::Display for RolePermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Principal {
    /// The user or group that a token names so.
    pub fn named(text: &str) -> Self {
        let guid = text.parse::<Uuid>().ok().filter(|_| text.len() == 36);
        Self(guid.map_or_else(|| text.to_owned(), |guid| guid.hyphenated().to_string()))
    }

    /// How it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Principal {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Name>().map(|name| Self::named(&name.0))
    }
}
