//! What the demo shows: the interesting addresses, and how to ask about them.

use super::month::Month;
use super::stories::stories;
use crate::config::FirstStart;
use crate::store::{Store, StoreError};
use ipstats_model::{CanonicalIp, InvalidLookBack, IpStatistics, LookBack, Organization, Window};
use std::fmt;
use std::time::Duration;

/// What there is to find.
pub(super) struct Found {
    devices: usize,
    connections: u64,
    rows: Vec<Row>,
}

struct Row {
    ip: CanonicalIp,
    month: IpStatistics,
    day: IpStatistics,
    why: &'static str,
}

/// The service answers.
pub(super) struct Ready<'a> {
    pub(super) url: &'a str,
    pub(super) token: &'a str,
    pub(super) first_start: &'a FirstStart,
    pub(super) elapsed: Duration,
}

impl Found {
    /// Asks about every interesting address.
    pub(super) fn ask(
        store: &Store,
        organization: Organization,
        month: &Month,
        connections: u64,
    ) -> Result<Self, AskError> {
        let day = Window::ending_at(month.now, LookBack::from_hours(24)?);
        let whole = Window::ending_at(month.now, LookBack::MAX);
        let rows = stories(month)
            .into_iter()
            .map(|story| {
                Ok(Row {
                    ip: story.ip,
                    month: store.statistics_here(organization, story.ip, whole)?,
                    day: store.statistics_here(organization, story.ip, day)?,
                    why: story.why,
                })
            })
            .collect::<Result<_, AskError>>()?;
        Ok(Self { devices: month.devices.len(), connections, rows })
    }
}

/// The sample data could not be asked about.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A look-back is out of bounds.
    #[error(transparent)]
    LookBack(#[from] InvalidLookBack),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "30 days of one organization: {} devices, {} connections\n",
            self.devices, self.connections
        )?;
        write!(f, "{:<20}  {:>7}  {:>7}  {:<20}  WHAT IT IS", "IP", "DEVICES", "LAST DAY", "FIRST SEEN")?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, month, day, why } = self;
        let first_seen = match month {
            IpStatistics::Seen { first_seen, .. } => first_seen.to_string(),
            IpStatistics::NotInWindow | IpStatistics::Unknown => "never".to_owned(),
        };
        let (month, day) = (prevalence(*month), prevalence(*day));
        write!(f, "{ip:<20}  {month:>7}  {day:>8}  {first_seen:<20}  {why}")
    }
}

fn prevalence(statistics: IpStatistics) -> u64 {
    match statistics {
        IpStatistics::Seen { prevalence, .. } => prevalence,
        IpStatistics::NotInWindow | IpStatistics::Unknown => 0,
    }
}

impl fmt::Display for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, token, first_start, elapsed } = self;
        let FirstStart { organization, client_id, client_secret, .. } = first_start;
        let secret = client_secret.reveal();
        write!(
            f,
            "\nReady after {:.1} s: {url} (Ctrl-C ends it and removes everything). Paste into another terminal:\n\n\
             curl -s -H 'Authorization: Bearer {token}' '{url}/api/ips/10.209.67.177/stats'\n\n\
             ?lookBackHours=24 at its end asks about the last day. The token is valid for an hour; for another one:\n\n\
             curl -s '{url}/{organization}/oauth2/v2.0/token' -d grant_type=client_credentials \
             -d client_id={client_id} \\\n  --data-urlencode 'client_secret={secret}' \
             -d scope=https://api.securitycenter.microsoft.com/.default\n",
            elapsed.as_secs_f64(),
        )
    }
}
