//! Answers as CSV (RFC 4180), for spreadsheets.

use super::entry::Entry;
use crate::visible::Visible;
use std::borrow::Cow;

/// The columns: names of the API, and the code where there is no answer.
pub(super) const HEADER: &str = "ipAddress,orgPrevalence,orgFirstSeen,orgLastSeen,error";

/// The line of an entry. An IP that nobody contacted has zero devices, what is no IP has none.
pub(super) fn csv_line(entry: &Entry) -> String {
    match &entry.found {
        Ok(answer) => {
            let (first, last) = answer.seen().unwrap_or_default();
            format!("{},{},{first},{last},", quoted(answer.ip_address()), answer.prevalence())
        }
        Err(nothing) => {
            let devices = if nothing.is_not_found() { "0" } else { "" };
            format!("{},{devices},,,{}", quoted(&Visible(&entry.asked).to_string()), quoted(&nothing.code))
        }
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_is_quoted() {
        assert_eq!(quoted("2001:db8::1"), "2001:db8::1");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"hi\"\r"), "\"say \"\"hi\"\"\r\"");
    }
}
