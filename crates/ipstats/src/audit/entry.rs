//! One line of the audit log.

use crate::auth::Caller;
use crate::config::IngestSource;
use crate::flat_json::{FlatObject, key};
use crate::operation::Operation;
use ipstats_model::{CanonicalIp, IpText, Organization, OrganizationText, Timestamp};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// Who asked and for what, and what became of it. Made cheap to make: its text is made by the thread that writes it.
#[derive(Debug)]
pub struct Entry {
    /// When the request came, in milliseconds since the epoch.
    pub unix_millis: i64,
    /// What was asked for.
    pub operation: Operation,
    /// Who asked, where that is known.
    pub actor: Option<Actor>,
    /// The address the request came from.
    pub client: Option<IpAddr>,
    /// What exactly was asked.
    pub asked: Option<Asked>,
    /// The status of the answer; none where the client went away before there was one.
    pub status: Option<u16>,
    /// The code of an error.
    pub code: Option<&'static str>,
    /// The id of an error, as the client and the log have it.
    pub target: Option<Uuid>,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// Who asked.
#[derive(Debug, Clone)]
pub enum Actor {
    /// With a token.
    Caller(Arc<Caller>),
    /// With an ingest key.
    Source(Arc<IngestSource>),
    /// For a token: the organization in the path and, as far as the request names such as are known there, for whom.
    Client {
        /// Whose token it would be.
        organization: Organization,
        /// The application's `client_id`.
        client_id: Option<String>,
        /// The name of the user who signs in.
        user: Option<String>,
    },
}

impl Actor {
    /// Whose data is concerned.
    pub fn organization(&self) -> Organization {
        match self {
            Self::Caller(caller) => caller.organization,
            Self::Source(source) => source.organization,
            Self::Client { organization, .. } => *organization,
        }
    }

    /// The application, or the source of logs.
    pub fn application(&self) -> Option<&str> {
        match self {
            Self::Caller(caller) => Some(&caller.application),
            Self::Source(source) => Some(&source.name),
            Self::Client { client_id, .. } => client_id.as_deref(),
        }
    }

    /// The user on whose behalf the application asks.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Caller(caller) => caller.user(),
            Self::Source(_) => None,
            Self::Client { user, .. } => user.as_deref(),
        }
    }
}

/// What exactly was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An IP, and how far back.
    Ip {
        /// The IP.
        ip: CanonicalIp,
        /// The window.
        look_back_hours: u16,
    },
    /// What stood in the place of an IP; nobody looked at it, or it is none.
    Text(String),
}

/// A time as lines show it: `2017-08-29T13:32:59.007Z`.
const TIME_BYTES: usize = 24;

impl Entry {
    /// Appends the line to `text`, its end included. Its fields are what operators' queries name: they are added to, and
    /// never renamed.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        let actor = self.actor.as_ref();
        let (ip, sent, look_back_hours) = match &self.asked {
            Some(Asked::Ip { ip, look_back_hours }) => (Some(ip.text()), None, Some(*look_back_hours)),
            Some(Asked::Text(sent)) => (None, Some(sent.as_str()), None),
            None => (None, None, None),
        };
        let mut line = FlatObject::begin(text);
        line.plain(key!("time"), Some(&time_of(self.unix_millis)));
        line.plain(key!("operation"), Some(self.operation.name()));
        line.plain(
            key!("organization"),
            actor.map(|actor| actor.organization().text()).as_ref().map(OrganizationText::as_str),
        );
        line.text(key!("application"), actor.and_then(Actor::application));
        line.text(key!("user"), actor.and_then(Actor::user));
        line.plain(
            key!("client"),
            self.client.map(|client| CanonicalIp::from(client).text()).as_ref().map(IpText::as_str),
        );
        line.text(key!("ip"), ip.as_ref().map(IpText::as_str).or(sent));
        line.number(key!("lookBackHours"), look_back_hours.map(u64::from));
        line.number(key!("status"), self.status.map(u64::from));
        line.text(key!("code"), self.code);
        line.text(key!("target"), self.target.map(|target| target.to_string()).as_deref());
        line.number(key!("micros"), Some(self.micros));
        line.end();
        text.push(b'\n');
    }
}

/// Milliseconds since the epoch as RFC 3339 shows them.
fn time_of(unix_millis: i64) -> String {
    let mut text = String::with_capacity(TIME_BYTES);
    let _ = write!(text, "{}", Timestamp::from_second(unix_millis.div_euclid(1000)));
    text.truncate(text.trim_end_matches('Z').len());
    let millis = unix_millis.rem_euclid(1000).unsigned_abs();
    let digits = [millis / 100, millis / 10, millis]
        .map(|number| char::from(b'0' + u8::try_from(number % 10).unwrap_or_default()));
    text.push('.');
    text.extend(digits);
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_who_asked_for_what_and_what_became_of_it() {
        let mut entry = Entry {
            unix_millis: 1_503_000_000_007,
            operation: Operation::IpStats,
            actor: Some(Actor::Client {
                organization: Organization::from_bytes([0x11; 16]),
                client_id: Some("so\"ar\n".to_owned()),
                user: None,
            }),
            client: Some([192, 0, 2, 1].into()),
            asked: Some(Asked::Ip { ip: "10.0.0.1".parse().unwrap(), look_back_hours: 48 }),
            status: Some(200),
            code: None,
            target: None,
            micros: 71,
        };
        let mut text = Vec::new();
        entry.write(&mut text);
        (entry.asked, entry.status, entry.actor) = (Some(Asked::Text("\u{1b}[2J".to_owned())), None, None);
        entry.write(&mut text);
        let expected = concat!(
            r#"{"time":"2017-08-17T20:00:00.007Z","operation":"ip_stats","#,
            r#""organization":"11111111-1111-1111-1111-111111111111","application":"so\"ar\n","user":null,"client":"192.0.2.1","#,
            r#""ip":"10.0.0.1","lookBackHours":48,"status":200,"code":null,"target":null,"micros":71}"#,
            "\n",
            r#"{"time":"2017-08-17T20:00:00.007Z","operation":"ip_stats","organization":null,"application":null,"user":null,"#,
            r#""client":"192.0.2.1","ip":"\u001b[2J","lookBackHours":null,"status":null,"code":null,"target":null,"#,
            r#""micros":71}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
