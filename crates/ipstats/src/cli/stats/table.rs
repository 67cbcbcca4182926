//! Many IPs, one a row.

use super::question::Question;
use crate::visible::Visible;
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
    /// First and last seen, or why there is neither.
    seen: String,
    first_ever: String,
}

impl Table {
    /// Asks about `text` and adds the answer.
    pub(super) fn add(&mut self, text: &str, question: &Question<'_>) -> Result<(), ReadError> {
        let row = if let Ok(ip) = text.parse() {
            Row::of(ip, question)?
        } else {
            self.invalid = true;
            Row { devices: String::new(), ..Row::saying(&Visible(text).to_string(), "not an IP address") }
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
        let ever = question.first_ever(ip)?;
        let first_ever = ever.map_or_else(|| "never".to_owned(), |time| time.to_string());
        let ip_text = ip.to_string();
        Ok(match question.statistics(ip)? {
            IpStatistics::Seen { prevalence, first_seen, last_seen } => Self {
                ip: ip_text,
                devices: prevalence.to_string(),
                seen: format!("{first_seen:<20}  {last_seen}"),
                first_ever,
            },
            IpStatistics::NotInWindow => {
                Self { first_ever, ..Self::saying(&ip_text, "not within the look-back") }
            }
            IpStatistics::Unknown => Self { first_ever, ..Self::saying(&ip_text, "not in the last 30 days") },
        })
    }

    /// A row about an IP without statistics.
    fn saying(ip: &str, why: &str) -> Self {
        Self { ip: ip.to_owned(), devices: "0".to_owned(), seen: why.to_owned(), first_ever: String::new() }
    }

    fn heading() -> Self {
        Self {
            ip: "IP".to_owned(),
            devices: "DEVICES".to_owned(),
            seen: format!("{:<20}  LAST SEEN", "FIRST SEEN"),
            first_ever: "FIRST EVER".to_owned(),
        }
    }

    fn line(&self, ip_width: usize) -> String {
        let Self { ip, devices, seen, first_ever } = self;
        format!("{ip:<ip_width$}  {devices:>8}  {seen:<42}  {first_ever}").trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip_width = self.rows.iter().map(|row| row.ip.chars().count()).max().unwrap_or(0).max(15);
        f.write_str(&Row::heading().line(ip_width))?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{}", row.line(ip_width)))
    }
}
