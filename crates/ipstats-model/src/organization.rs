//! Whose data it is.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// An organization (tenant): the GUID that tokens carry as `tid`. Shown lower-case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Organization(Uuid);

/// An organization as text in a buffer of its own, for callers that write millions of them.
#[derive(Clone, Copy)]
pub struct OrganizationText([u8; 36]);

/// The text is not a GUID in its hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an organization id (a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301)")]
pub struct InvalidOrganization {
    text: String,
}

impl Organization {
    /// The organization with these 16 bytes, in the order they are written.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes, in the order they are written. The first part of every key on disk.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The text of the id, without an allocation.
    pub fn text(&self) -> OrganizationText {
        let mut text = [0; 36];
        self.0.hyphenated().encode_lower(&mut text);
        OrganizationText(text)
    }
}

impl OrganizationText {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl FromStr for Organization {
    type Err = InvalidOrganization;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidOrganization { text: text.to_owned() };
        // Uuid also reads braces, URNs and bare hex: one organization, one spelling.
        if text.len() != 36 {
            return Err(invalid());
        }
        text.parse().map(Self).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_organization_has_one_spelling() {
        let id: Organization = "3F2504E0-4F89-41D3-9A0C-0305E82C3301".parse().unwrap();
        assert_eq!(id.to_string(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
        assert_eq!(id.text().as_str(), id.to_string());
        assert_eq!(Organization::from_bytes(*id.as_bytes()), id);
        for text in
            ["", "contoso", "3f2504e04f8941d39a0c0305e82c3301", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}"]
        {
            assert!(text.parse::<Organization>().is_err(), "{text}");
        }
    }
}
