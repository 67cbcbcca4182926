//! Many IPs, one a row.

use super::entry::{Entry, Nothing};
use crate::answer::Answer;
use crate::visible::Visible;
use ipstats_model::Timestamp;

/// Rows that are kept to find the width of the first column; further ones are printed as they come.
const ROWS_KEPT_MAX: usize = 256;

/// The width of any IPv4 address.
const IP_WIDTH_MIN: usize = 15;

/// Whether the first contact ever is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstEver {
    /// It has a column.
    Shown,
    /// It is not known where the answers come from.
    Unknown,
}

/// Rows in the order asked.
pub(super) struct Table {
    first_ever: FirstEver,
    kept: Vec<Row>,
    /// Known once the heading is printed.
    ip_width: Option<usize>,
}

struct Row {
    ip: String,
    devices: String,
    /// First and last seen, or why there is neither.
    seen: String,
    first_ever: String,
}

impl Table {
    pub(super) fn new(first_ever: FirstEver) -> Self {
        Self { first_ever, kept: Vec::new(), ip_width: None }
    }

    /// Adds a row; the lines to print now.
    pub(super) fn add(&mut self, entry: &Entry) -> Vec<String> {
        let row = Row::of(entry, self.first_ever);
        if let Some(width) = self.ip_width {
            return vec![row.line(width)];
        }
        self.kept.push(row);
        if self.kept.len() < ROWS_KEPT_MAX { Vec::new() } else { self.print_kept() }
    }

    /// The lines that were kept; none at all where there is no row.
    pub(super) fn finish(mut self) -> Vec<String> {
        if self.ip_width.is_some() { Vec::new() } else { self.print_kept() }
    }

    fn print_kept(&mut self) -> Vec<String> {
        let rows = std::mem::take(&mut self.kept);
        if rows.is_empty() {
            return Vec::new();
        }
        let widest = rows.iter().map(|row| row.ip.chars().count()).max().unwrap_or(0);
        let width = *self.ip_width.insert(widest.max(IP_WIDTH_MIN));
        let heading = Row::heading(self.first_ever);
        std::iter::once(&heading).chain(&rows).map(|row| row.line(width)).collect()
    }
}

impl Row {
    fn of(entry: &Entry, first_ever: FirstEver) -> Self {
        let first_ever = match (first_ever, entry.first_ever) {
            (FirstEver::Unknown, _) => String::new(),
            (FirstEver::Shown, ever) => {
                ever.map_or_else(|| "never".to_owned(), |time: Timestamp| time.to_string())
            }
        };
        match &entry.found {
            Ok(answer) => Self { first_ever, ..Self::of_answer(answer) },
            Err(nothing) if nothing.is_not_found() => {
                Self { first_ever, ..Self::saying(&canonical(&entry.asked), "0", "not in the last 30 days") }
            }
            Err(nothing) => Self::saying(&Visible(&entry.asked).to_string(), "", &reason(nothing)),
        }
    }

    fn of_answer(answer: &Answer) -> Self {
        let ip = Visible(answer.ip_address()).to_string();
        match answer.seen() {
            Some((first, last)) => {
                let seen = format!("{:<20}  {}", Visible(first).to_string(), Visible(last));
                Self::saying(&ip, &answer.prevalence().to_string(), &seen)
            }
            None => Self::saying(&ip, &answer.prevalence().to_string(), "not within the look-back"),
        }
    }

    fn saying(ip: &str, devices: &str, seen: &str) -> Self {
        Self {
            ip: ip.to_owned(),
            devices: devices.to_owned(),
            seen: seen.to_owned(),
            first_ever: String::new(),
        }
    }

    fn heading(first_ever: FirstEver) -> Self {
        let heading = Self::saying("IP", "DEVICES", &format!("{:<20}  LAST SEEN", "FIRST SEEN"));
        match first_ever {
            FirstEver::Shown => Self { first_ever: "FIRST EVER".to_owned(), ..heading },
            FirstEver::Unknown => heading,
        }
    }

    fn line(&self, ip_width: usize) -> String {
        let Self { ip, devices, seen, first_ever } = self;
        format!("{ip:<ip_width$}  {devices:>8}  {seen:<42}  {first_ever}").trim_end().to_owned()
    }
}

fn canonical(asked: &str) -> String {
    asked.parse().map_or_else(|_| Visible(asked).to_string(), |ip: ipstats_model::CanonicalIp| ip.to_string())
}

fn reason(nothing: &Nothing) -> String {
    if nothing.is_invalid() { "not an IP address".to_owned() } else { Visible(&nothing.message).to_string() }
}
