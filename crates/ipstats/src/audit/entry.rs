//! One line of the audit log.

use crate::auth::Caller;
use crate::config::IngestSource;
use crate::operation::Operation;
use ipstats_model::{CanonicalIp, Organization, Timestamp};
use serde::{Serialize, Serializer};
use std::fmt;
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

/// The line. Its fields are what operators' queries name: they are added to, and never renamed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: Shown<Millis>,
    operation: &'static str,
    organization: Option<Shown<Organization>>,
    application: Option<&'a str>,
    user: Option<&'a str>,
    client: Option<IpAddr>,
    ip: Option<Shown<&'a Asked>>,
    look_back_hours: Option<u16>,
    status: Option<u16>,
    code: Option<&'a str>,
    target: Option<Uuid>,
    micros: u64,
}

impl Entry {
    /// Appends the line to `text`, its end included.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        let look_back_hours = match &self.asked {
            Some(Asked::Ip { look_back_hours, .. }) => Some(*look_back_hours),
            Some(Asked::Text(_)) | None => None,
        };
        let line = Line {
            time: Shown(Millis(self.unix_millis)),
            operation: self.operation.name(),
            organization: self.actor.as_ref().map(|actor| Shown(actor.organization())),
            application: self.actor.as_ref().and_then(Actor::application),
            user: self.actor.as_ref().and_then(Actor::user),
            client: self.client,
            ip: self.asked.as_ref().map(Shown),
            look_back_hours,
            status: self.status,
            code: self.code,
            target: self.target,
            micros: self.micros,
        };
        // Numbers and strings always serialize, and a vector always takes them.
        let written = serde_json::to_writer(&mut *text, &line);
        debug_assert!(written.is_ok(), "{written:?}");
        text.push(b'\n');
    }
}

/// A time, in milliseconds since the epoch, as RFC 3339 shows it.
struct Millis(i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = Timestamp::from_second(self.0.div_euclid(1000)).to_string();
        write!(f, "{}.{:03}Z", second.trim_end_matches('Z'), self.0.rem_euclid(1000))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip { ip, .. } => ip.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A value as JSON has it: as the text that people read.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
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
