//! What goes wrong between us and ClickHouse.

use super::schema::VERSION;
use crate::visible::Visible;
use reqwest::StatusCode;
use std::fmt;
use std::sync::Arc;

/// Longest part of a server's message that is passed on, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Codes of ClickHouse for what may pass: limits that were reached, and parts of a cluster that are away.
const PASSING_CODES: [u32; 19] = [
    3,   // UNEXPECTED_END_OF_FILE
    159, // TIMEOUT_EXCEEDED
    198, // DNS_ERROR
    202, // TOO_MANY_SIMULTANEOUS_QUERIES
    209, // SOCKET_TIMEOUT
    210, // NETWORK_ERROR
    225, // NO_ZOOKEEPER
    236, // ABORTED
    241, // MEMORY_LIMIT_EXCEEDED
    242, // TABLE_IS_READ_ONLY
    244, // UNEXPECTED_ZOOKEEPER_ERROR
    252, // TOO_MANY_PARTS
    254, // NO_ACTIVE_REPLICAS
    279, // ALL_CONNECTION_TRIES_FAILED
    285, // TOO_FEW_LIVE_REPLICAS
    286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    289, // REPLICA_IS_NOT_IN_QUORUM
    319, // UNKNOWN_STATUS_OF_INSERT
    999, // KEEPER_EXCEPTION
];

/// Codes of ClickHouse for a user whom it does not let in.
const LOGIN_CODES: [u32; 5] = [
    192, // UNKNOWN_USER
    193, // WRONG_PASSWORD
    194, // REQUIRED_PASSWORD
    195, // IP_ADDRESS_NOT_ALLOWED
    516, // AUTHENTICATION_FAILED
];

/// Codes of ClickHouse for what a user is not allowed to do.
const RIGHTS_CODES: [u32; 4] = [
    164, // READONLY
    291, // DATABASE_ACCESS_DENIED
    392, // QUERY_IS_PROHIBITED
    497, // ACCESS_DENIED
];

const LOGIN_ADVICE: &str =
    ": store.username and store.password_file (or IPSTATS_STORE_PASSWORD) must name a user whom it lets in";
const RIGHTS_ADVICE: &str = ": give the user of store.username the rights that docs/scaling.md lists, and no profile that is readonly";

const UNKNOWN_TABLE: u32 = 60;
const UNKNOWN_DATABASE: u32 = 81;
const UNKNOWN_IDENTIFIER: u32 = 47;

/// Why one server did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be reached ({0})")]
    Unreachable(String),
    #[error("the connection to it broke off ({0})")]
    BrokenOff(String),
    #[error(
        "its certificate is not trusted ({0}): name the authority that issued it in store.ca_file, and the server in \
         store.urls as the certificate names it"
    )]
    Certificate(String),
    #[error(
        "it does not speak TLS there ({0}): store.urls must name its https_port; or say http://, with plain_http = true where \
         the network is trusted"
    )]
    NotTls(String),
    #[error("it does not answer in time")]
    Timeout,
    #[error("it answers {status}: {}{}", message(.text), advice(*.status, *.code))]
    Refused { status: StatusCode, code: Option<u32>, text: String },
    #[error("its answer is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    #[error("its answer is not what was asked for")]
    Unreadable,
    #[error("store.password_file cannot be read ({0})")]
    Password(String),
    #[error("its database {0} has no tables of ipstats: run `ipstats clickhouse init`")]
    NoTables(String),
    #[error(
        "the tables in its database {database} are of version {found}, and this ipstats knows version {VERSION}: name another \
         store.database and run `ipstats clickhouse init`, or run the ipstats that made them"
    )]
    OtherTables { database: String, found: u32 },
    #[error(
        "its configuration (remote_servers) has no cluster {0}: store.cluster must name one of those in system.clusters"
    )]
    NoCluster(String),
    #[error(
        "its database {database} holds {table}, which is not what ipstats makes there ({found}; it would be {wanted}): name \
         another store.database; if an ipstats made it, give store.cluster and store.replicated the values of that time"
    )]
    Foreign { database: String, table: String, found: String, wanted: String },
    #[error(
        "its configuration lacks the macros shard and replica, which store.replicated = true needs: add them, or leave \
         store.replicated out where shards have no replicas"
    )]
    NoMacros,
    #[error("not acknowledged within {seconds} s; to send it again is harmless")]
    NotAcknowledged { seconds: u64 },
}

/// Why no server did what was asked: what each one said.
#[derive(Debug, Clone)]
pub(super) struct ClickHouseError(Arc<[(String, Failure)]>);

impl Failure {
    /// An answer that is an error: `Code: 60, e.displayText() = …` in old versions, `Code: 60. DB::Exception: …` in new ones.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body).trim().to_owned();
        let digits = text.strip_prefix("Code: ").map(|rest| rest.split(|char: char| !char.is_ascii_digit()));
        let code = digits.and_then(|mut parts| parts.next()?.parse().ok());
        Self::Refused { status, code, text }
    }

    /// Whether another try may succeed, here or elsewhere.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::BrokenOff(_) | Self::Timeout | Self::NotAcknowledged { .. } => true,
            Self::Refused { code: Some(code), .. } => PASSING_CODES.contains(code),
            // A proxy in between.
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::TooLong { .. }
            | Self::Unreadable
            | Self::Certificate(_)
            | Self::NotTls(_)
            | Self::Password(_)
            | Self::NoTables(_)
            | Self::OtherTables { .. }
            | Self::NoCluster(_)
            | Self::Foreign { .. }
            | Self::NoMacros => false,
        }
    }

    /// Whether the server itself is away.
    pub(super) const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::BrokenOff(_)
                | Self::Certificate(_)
                | Self::NotTls(_)
                | Self::Timeout
        )
    }

    /// Whether it is the configuration, ours or the server's, that has to be changed.
    pub(super) fn is_of_configuration(&self) -> bool {
        match self {
            Self::Certificate(_)
            | Self::NotTls(_)
            | Self::Password(_)
            | Self::OtherTables { .. }
            | Self::NoCluster(_)
            | Self::Foreign { .. }
            | Self::NoMacros => true,
            Self::Refused { status, code, .. } => !advice(*status, *code).is_empty(),
            _ => false,
        }
    }

    /// Whether a table or the database is not there.
    pub(super) const fn is_missing_table(&self) -> bool {
        matches!(self, Self::Refused { code: Some(UNKNOWN_TABLE | UNKNOWN_DATABASE), .. })
    }

    /// Whether a column is not there.
    pub(super) const fn is_missing_column(&self) -> bool {
        matches!(self, Self::Refused { code: Some(UNKNOWN_IDENTIFIER), .. })
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let is_connecting = error.is_connect();
        let reason = crate::telemetry::chain(&error.without_url());
        match reason {
            _ if !is_connecting => Self::BrokenOff(reason),
            _ if reason.contains("certificate") => Self::Certificate(reason),
            // What answers a greeting of TLS with something else.
            _ if reason.contains("received corrupt message") => Self::NotTls(reason),
            _ => Self::Unreachable(reason),
        }
    }
}

impl ClickHouseError {
    pub(super) fn of(failures: Vec<(String, Failure)>) -> Self {
        Self(failures.into())
    }

    /// The same, after what others said before.
    pub(super) fn after(self, mut said: Vec<(String, Failure)>) -> Self {
        said.extend(self.0.iter().cloned());
        Self::of(said)
    }

    pub(super) fn may_pass(&self) -> bool {
        self.0.iter().any(|(_, failure)| failure.may_pass())
    }

    /// Whether a server objects to what it was asked to do, and not to who asks or when.
    pub(super) fn is_about_statement(&self) -> bool {
        let objects = |failure: &Failure| {
            matches!(failure, Failure::Refused { .. })
                && !failure.may_pass()
                && !failure.is_of_configuration()
        };
        self.0.iter().any(|(_, failure)| objects(failure))
    }
}

impl fmt::Display for ClickHouseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClickHouse does not do it")?;
        for (number, (url, failure)) in self.0.iter().enumerate() {
            let separator = if number == 0 { ": " } else { "; " };
            write!(f, "{separator}{url}: {failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ClickHouseError {}

/// What to change where a server does not let us in, or does not let us do something.
fn advice(status: StatusCode, code: Option<u32>) -> &'static str {
    match (code, status) {
        (Some(code), _) if LOGIN_CODES.contains(&code) => LOGIN_ADVICE,
        (None, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => LOGIN_ADVICE,
        (Some(code), _) if RIGHTS_CODES.contains(&code) => RIGHTS_ADVICE,
        _ => "",
    }
}

/// The beginning of a server's message, on one line.
fn message(text: &str) -> String {
    let begin: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
    Visible(&begin).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_old_and_new_servers_is_read() {
        for (text, missing, passes) in [
            ("Code: 60, e.displayText() = DB::Exception: Table a.b doesn't exist.", true, false),
            ("Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE)\n", true, false),
            ("Code: 252. DB::Exception: Too many parts (300)", false, true),
            ("Code: 193, e.displayText() = DB::Exception: Wrong password for user a", false, false),
            ("upstream is away", false, true),
        ] {
            let failure = Failure::refused(StatusCode::INTERNAL_SERVER_ERROR, text.as_bytes());
            assert_eq!((failure.is_missing_table(), failure.may_pass()), (missing, passes), "{text}");
        }
        let long =
            Failure::refused(StatusCode::BAD_REQUEST, format!("Code: 1\n{}", "x".repeat(10_000)).as_bytes());
        assert!(long.to_string().len() < 400 && !long.to_string().contains('\n'), "{long}");
    }
}
