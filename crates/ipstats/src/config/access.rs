//! Who is known: organizations and applications.

use ipstats_model::Organization;
use std::fmt;
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

/// An application that may ask the built-in authority for tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What people call it; unique.
    pub name: String,
    /// `client_id`; unique.
    pub client_id: ClientId,
    /// Whose data its tokens open.
    pub organization: Organization,
    /// The argon2id hash of its secret, as a PHC string.
    pub secret_hash: String,
    /// What its tokens permit, such as `Ip.Read.All`.
    pub permissions: Vec<String>,
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
