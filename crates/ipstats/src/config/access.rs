//! Who is known: organizations and applications.

use super::reader::Section;
use super::values::Name;
use crate::secret::SecretHash;
use ipstats_model::Organization;
use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use uuid::Uuid;

/// An organization whose data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationEntry {
    /// The tenant id that its tokens carry.
    pub id: Organization,
    /// What people call it; unique.
    pub name: String,
}

/// An application that may ask the built-in authority for tokens: for itself, or for users who sign in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What people call it; unique.
    pub name: String,
    /// `client_id`; unique.
    pub client_id: ClientId,
    /// Whose data its tokens open.
    pub organization: Organization,
    /// What is kept of its secret; none where it is a public client, which cannot keep one (a script, a notebook).
    pub secret_hash: Option<SecretHash>,
    /// What its own tokens permit, such as `Ip.Read.All`: their `roles`. Empty for a public client.
    pub permissions: Vec<String>,
    /// What its tokens of users permit: their `scp`. Empty: users cannot sign in to it.
    pub delegated_permissions: Vec<String>,
}

/// The id of an application: a GUID, shown lower-case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(Uuid);

/// The text is not a GUID in its hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a client id (a GUID such as 9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa)")]
pub struct InvalidClientId {
    text: String,
}

/// Which organization is meant cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownOrganization {
    /// None is configured.
    #[error(
        "no organization is known: declare [[organizations]] in the configuration, \
         or start with `ipstats serve` or `ipstats import`, which make one in the data folder"
    )]
    NoneConfigured,
    /// None was named, and there are several.
    #[error("several organizations are configured: choose one with --organization ({known})")]
    Ambiguous {
        /// The organizations there are.
        known: String,
    },
    /// The named one is not configured.
    #[error("organization {asked:?} is not configured; known: {known}")]
    NotConfigured {
        /// What was asked for.
        asked: String,
        /// The organizations there are.
        known: String,
    },
}

/// The tables `[[organizations]]` and `[[applications]]`. What is wrong with them is with the reader.
pub(super) fn read(root: &mut Section<'_>) -> (Vec<OrganizationEntry>, Vec<Application>) {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    let organizations: Vec<_> = root
        .sections("organizations")
        .into_iter()
        .filter_map(|section| organization(section, &mut ids, &mut names))
        .collect();
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    let applications = root.sections("applications").into_iter();
    let applications = applications
        .filter_map(|section| application(section, &organizations, &mut ids, &mut names))
        .collect();
    (organizations, applications)
}

fn organization(
    mut section: Section<'_>,
    ids: &mut HashSet<Organization>,
    names: &mut HashSet<String>,
) -> Option<OrganizationEntry> {
    let id = section.require::<Organization>("id");
    let name = section.require::<Name>("name");
    let id = id.filter(|id| unique(&section, "id", *id, ids));
    let name = name.filter(|name| unique(&section, "name", name.0.clone(), names));
    section.finish();
    Some(OrganizationEntry { id: id?, name: name?.0 })
}

fn application(
    mut section: Section<'_>,
    organizations: &[OrganizationEntry],
    ids: &mut HashSet<ClientId>,
    names: &mut HashSet<String>,
) -> Option<Application> {
    let name = section.require::<Name>("name");
    let client_id = section.require::<ClientId>("client_id");
    let organization = section.require::<Name>("organization");
    let public_client = section.read_flag("public_client").unwrap_or(false);
    let secret_hash = if public_client {
        section.read::<SecretHash>("secret_hash")
    } else {
        section.require::<SecretHash>("secret_hash")
    };
    if public_client && secret_hash.is_some() {
        section.problem("secret_hash", "a public client has no secret: leave this out, or public_client");
    }
    let permissions = read_permissions(&mut section, "permissions");
    let delegated_permissions = read_permissions(&mut section, "delegated_permissions");
    if public_client && !permissions.is_empty() {
        section.problem(
            "permissions",
            "a public client proves nothing about itself: it gets delegated_permissions only",
        );
    }
    let name = name.filter(|name| unique(&section, "name", name.0.clone(), names));
    let client_id = client_id.filter(|id| unique(&section, "client_id", *id, ids));
    let organization = organization.and_then(|asked| {
        choose(organizations, Some(&asked.0)).map_err(|error| section.problem("organization", error)).ok()
    });
    section.finish();
    Some(Application {
        name: name?.0,
        client_id: client_id?,
        organization: organization?,
        secret_hash,
        permissions,
        delegated_permissions,
    })
}

/// Permissions by name; they stand in `scp` one after the other, so that a name has no blanks.
fn read_permissions(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let permissions = Name::texts(section.read_list::<Name>(key).unwrap_or_default());
    if permissions.iter().any(|permission| permission.contains(char::is_whitespace)) {
        section.problem(key, "names of permissions have no blanks, such as Ip.Read.All");
    }
    permissions
}

/// Whether a value that must be unique is, so far.
pub(super) fn unique<T: Hash + Eq>(
    section: &Section<'_>,
    key: &'static str,
    value: T,
    taken: &mut HashSet<T>,
) -> bool {
    let is_new = taken.insert(value);
    if !is_new {
        section.problem(key, "already used above; it must be unique");
    }
    is_new
}

/// The organization that `asked` names by id or name; without one, the only one of `known`.
pub(super) fn choose(
    known: &[OrganizationEntry],
    asked: Option<&str>,
) -> Result<Organization, UnknownOrganization> {
    match (asked, known) {
        (_, []) => Err(UnknownOrganization::NoneConfigured),
        (None, [only]) => Ok(only.id),
        (None, _) => Err(UnknownOrganization::Ambiguous { known: list(known) }),
        (Some(asked), _) => {
            let id = asked.parse::<Organization>().ok();
            known
                .iter()
                .find(|entry| Some(entry.id) == id || entry.name == asked)
                .map(|entry| entry.id)
                .ok_or_else(|| UnknownOrganization::NotConfigured {
                    asked: asked.to_owned(),
                    known: list(known),
                })
        }
    }
}

fn list(known: &[OrganizationEntry]) -> String {
    known.iter().map(|entry| format!("{} = {}", entry.name, entry.id)).collect::<Vec<_>>().join(", ")
}

impl ClientId {
    /// The id with these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidClientId { text: text.to_owned() };
        if text.len() != 36 {
            return Err(invalid());
        }
        text.parse().map(Self).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(byte: u8, name: &str) -> OrganizationEntry {
        OrganizationEntry { id: Organization::from_bytes([byte; 16]), name: name.to_owned() }
    }

    #[test]
    fn an_organization_is_chosen_by_id_by_name_or_by_being_alone() {
        let (one, two) = (entry(1, "contoso"), entry(2, "fabrikam"));
        let both = [one.clone(), two.clone()];
        assert_eq!(choose(std::slice::from_ref(&one), None), Ok(one.id));
        assert_eq!(choose(&both, Some("fabrikam")), Ok(two.id));
        assert_eq!(choose(&both, Some("02020202-0202-0202-0202-020202020202")), Ok(two.id));
        assert_eq!(choose(&[], None), Err(UnknownOrganization::NoneConfigured));
        let ambiguous = choose(&both, None).unwrap_err().to_string();
        assert!(ambiguous.contains("fabrikam = 02020202-"), "{ambiguous}");
        let unknown = choose(&both, Some("nobody")).unwrap_err().to_string();
        assert!(unknown.contains("\"nobody\"") && unknown.contains("contoso"), "{unknown}");
    }
}
