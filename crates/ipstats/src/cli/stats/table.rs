//! Many IPs, one a row.

use super::question::Question;
use ipstats_engine::ReadError;
use ipstats_model::{CanonicalIp, IpStatistics};
use std::fmt;

/// Rows in the order asked.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    invalid: bool,
}

struct Row {
    ip: String,
    devices: String,
    first_seen: String,
    last_seen: String,
    first_ever: String,
}

impl Table {
    /// Asks about `text` and adds the answer.
    pub(super) fn add(&mut self, text: &str, question: &Question<'_>) -> Result<(), ReadError> {
        let row = if let Ok(ip) = text.parse() {
            Row::of(ip, question)?
        } else {
            self.invalid = true;
            Row::saying(text, "not an IP address")
        };
        self.rows.push(row);
        Ok(())
    }

    /// Whether something asked for was no IP address.
    pub(super) fn has_invalid(&self) -> bool {
        self.invalid
    }
}

impl Row {
    fn of(ip: CanonicalIp, question: &Question<'_>) -> Result<Self, ReadError> {
        let ever = question.engine.first_ever(question.organization, ip)?;
        let first_ever = ever.map_or_else(|| "never".to_owned(), |time| time.to_string());
        let row = match question.statistics(ip)? {
            IpStatistics::Seen { prevalence, first_seen, last_seen } => Self {
                ip: ip.to_string(),
                devices: prevalence.to_string(),
                first_seen: first_seen.to_string(),
                last_seen: last_seen.to_string(),
                first_ever,
            },
            IpStatistics::NotInWindow => {
                Self { first_ever, ..Self::saying(&ip.to_string(), "not in the window") }
            }
            IpStatistics::Unknown => {
                Self { first_ever, ..Self::saying(&ip.to_string(), "not in the last 30 days") }
            }
        };
        Ok(row)
    }

    /// A row about an IP without statistics.
    fn saying(ip: &str, why: &str) -> Self {
        Self {
            ip: ip.to_owned(),
            devices: "0".to_owned(),
            first_seen: why.to_owned(),
            last_seen: String::new(),
            first_ever: String::new(),
        }
    }

    fn heading() -> Self {
        Self {
            ip: "IP".to_owned(),
            devices: "DEVICES".to_owned(),
            first_seen: "FIRST SEEN".to_owned(),
            last_seen: "LAST SEEN".to_owned(),
            first_ever: "FIRST EVER".to_owned(),
        }
    }

    fn line(&self, ip_width: usize) -> String {
        let Self { ip, devices, first_seen, last_seen, first_ever } = self;
        let line = format!("{ip:<ip_width$}  {devices:>8}  {first_seen:<20}  {last_seen:<20}  {first_ever}");
        line.trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip_width = self.rows.iter().map(|row| row.ip.chars().count()).max().unwrap_or(0).max(15);
        f.write_str(&Row::heading().line(ip_width))?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{}", row.line(ip_width)))
    }
}
