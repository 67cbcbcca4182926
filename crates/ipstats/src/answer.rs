//! The answer as clients read it: the wire type of "Get IP statistics" and the two ways in which the question itself
//! can have no answer. Shared by the HTTP service and by `ipstats stats --json`, which print the same bytes.

use crate::config::UnknownIp;
use crate::flat_json::{FlatObject, key};
use ipstats_model::{CanonicalIp, InvalidIpAddress, IpStatistics};
use utoipa::ToSchema;

/// What the devices of an organization had to do with an IP address within the window.
// Fields are sent in the order they are declared here.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(as = InOrgIPStats, rename_all = "camelCase")]
pub struct Answer {
    #[schema(rename = "@odata.context", nullable = false)]
    context: Option<String>,
    #[schema(rename = "@odata.type", nullable = false)]
    odata_type: Option<&'static str>,
    /// The address in canonical form: dotted quad, or RFC 5952.
    #[schema(example = "10.209.67.177")]
    ip_address: String,
    /// How many distinct devices opened a connection to the address within the window: a decimal integer in a string,
    /// as documented.
    #[schema(example = "63515", pattern = "^[0-9]+$")]
    org_prevalence: String,
    #[schema(rename = "organizationPrevalence@odata.type", nullable = false)]
    organization_prevalence_type: Option<&'static str>,
    /// The same number as an integer, as the real service sends it too.
    #[schema(example = 63515)]
    organization_prevalence: u64,
    #[schema(rename = "orgFirstSeen@odata.type", nullable = false)]
    org_first_seen_type: Option<&'static str>,
    /// The first connection within the window; null if there is none.
    #[schema(required, format = DateTime, example = "2017-07-30T13:36:06Z")]
    org_first_seen: Option<String>,
    #[schema(rename = "orgLastSeen@odata.type", nullable = false)]
    org_last_seen_type: Option<&'static str>,
    /// The last connection within the window; null if there is none.
    #[schema(required, format = DateTime, example = "2017-08-29T13:32:59Z")]
    org_last_seen: Option<String>,
}

/// What a context has behind the URL of the service.
const CONTEXT: &str = "/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats";

/// Most answers are shorter.
const JSON_BYTES_EXPECTED: usize = 512;

/// The question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The text is no IP address.
    #[error(transparent)]
    InvalidIpAddress(#[from] InvalidIpAddress),
    /// The IP was not contacted in the retained 30 days.
    #[error("IP address {0} was not contacted by any device of the organization in the last 30 days.")]
    NotFound(CanonicalIp),
}

impl Answer {
    /// The answer about `ip`. An IP that was not contacted in the retained 30 days is an error or zero devices.
    pub fn new(ip: CanonicalIp, statistics: IpStatistics, unknown_ip: UnknownIp) -> Result<Self, NoAnswer> {
        let (prevalence, first_seen, last_seen) = match (statistics, unknown_ip) {
            (IpStatistics::Seen { prevalence, first_seen, last_seen }, _) => {
                (prevalence, Some(first_seen.to_string()), Some(last_seen.to_string()))
            }
            (IpStatistics::NotInWindow, _) | (IpStatistics::Unknown, UnknownIp::Zero) => (0, None, None),
            (IpStatistics::Unknown, UnknownIp::NotFound) => return Err(NoAnswer::NotFound(ip)),
        };
        Ok(Self::received(None, ip.text().as_str().to_owned(), prevalence, (first_seen, last_seen)))
    }

    /// An answer that a service gave.
    pub fn received(
        context: Option<String>,
        ip_address: String,
        prevalence: u64,
        (org_first_seen, org_last_seen): (Option<String>, Option<String>),
    ) -> Self {
        Self {
            context,
            odata_type: None,
            ip_address,
            org_prevalence: prevalence.to_string(),
            organization_prevalence_type: None,
            organization_prevalence: prevalence,
            org_first_seen_type: None,
            org_first_seen,
            org_last_seen_type: None,
            org_last_seen,
        }
    }

    /// The address in canonical form.
    pub fn ip_address(&self) -> &str {
        &self.ip_address
    }

    /// How many devices contacted the IP within the window.
    pub fn prevalence(&self) -> u64 {
        self.organization_prevalence
    }

    /// The first and the last contact within the window, where there is one.
    pub fn seen(&self) -> Option<(&str, &str)> {
        Some((self.org_first_seen.as_deref()?, self.org_last_seen.as_deref()?))
    }

    /// The same answer with its `@odata.context`, for the service at `public_url`.
    #[must_use]
    pub fn with_context(mut self, public_url: &str) -> Self {
        self.context = Some([public_url, CONTEXT].concat());
        self
    }

    /// The answer in JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(JSON_BYTES_EXPECTED);
        let mut object = FlatObject::begin(&mut text);
        object.text_if_any(key!("@odata.context"), self.context.as_deref());
        object.text_if_any(key!("@odata.type"), self.odata_type);
        object.text(key!("ipAddress"), Some(&self.ip_address));
        object.plain(key!("orgPrevalence"), Some(&self.org_prevalence));
        object.text_if_any(key!("organizationPrevalence@odata.type"), self.organization_prevalence_type);
        object.number(key!("organizationPrevalence"), Some(self.organization_prevalence));
        object.text_if_any(key!("orgFirstSeen@odata.type"), self.org_first_seen_type);
        object.text(key!("orgFirstSeen"), self.org_first_seen.as_deref());
        object.text_if_any(key!("orgLastSeen@odata.type"), self.org_last_seen_type);
        object.text(key!("orgLastSeen"), self.org_last_seen.as_deref());
        object.end();
        text
    }

    /// The same answer with its type, and the types of those fields whose values in JSON do not tell them.
    #[must_use]
    pub fn with_types(self) -> Self {
        Self {
            odata_type: Some("#microsoft.windowsDefenderATP.api.InOrgIPStats"),
            organization_prevalence_type: Some("#Int64"),
            org_first_seen_type: Some("#DateTimeOffset"),
            org_last_seen_type: Some("#DateTimeOffset"),
            ..self
        }
    }
}

impl NoAnswer {
    /// The error code that clients key on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidIpAddress(_) => "InvalidIpAddress",
            Self::NotFound(_) => "ResourceNotFound",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(statistics: IpStatistics, unknown_ip: UnknownIp) -> Result<String, NoAnswer> {
        let answer = Answer::new("10.209.67.177".parse().unwrap(), statistics, unknown_ip)?;
        Ok(String::from_utf8(answer.with_context("https://ipstats.example").to_json()).unwrap())
    }

    #[test]
    fn the_fields_come_in_their_order() {
        let seen = IpStatistics::Seen {
            prevalence: 63_515,
            first_seen: "2017-07-30T13:36:06Z".parse().unwrap(),
            last_seen: "2017-08-29T13:32:59Z".parse().unwrap(),
        };
        assert_eq!(
            json(seen, UnknownIp::NotFound).unwrap(),
            concat!(
                r#"{"@odata.context":"https://ipstats.example/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","#,
                r#""ipAddress":"10.209.67.177","orgPrevalence":"63515","organizationPrevalence":63515,"#,
                r#""orgFirstSeen":"2017-07-30T13:36:06Z","orgLastSeen":"2017-08-29T13:32:59Z"}"#
            )
        );
    }

    #[test]
    fn outside_the_window_is_zero_and_unknown_is_what_the_operator_decided() {
        let zero = concat!(
            r#""orgPrevalence":"0","organizationPrevalence":0,"#,
            r#""orgFirstSeen":null,"orgLastSeen":null}"#
        );
        assert!(json(IpStatistics::NotInWindow, UnknownIp::NotFound).unwrap().ends_with(zero));
        assert!(json(IpStatistics::Unknown, UnknownIp::Zero).unwrap().ends_with(zero));
        assert_eq!(json(IpStatistics::Unknown, UnknownIp::NotFound).unwrap_err().code(), "ResourceNotFound");
    }
}
