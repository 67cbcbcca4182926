//! One decision as the server is asked for it: keys, arguments and answer of `decide.lua`.

use super::super::CallKey;
use super::super::call_log::tick_micros;
use crate::config::RateLimit;
use aws_lc_rs::digest::{self, SHA256};
use ipstats_model::Organization;
use redis::{Script, ScriptInvocation};
use std::fmt::Write;
use std::time::Duration;

/// Longest name of an application that stands in a key as it is.
const NAME_BYTES_MAX: usize = 64;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The script that decides.
pub(super) fn script() -> Script {
    Script::new(include_str!("decide.lua"))
}

/// The limits in force, and the span whose calls those begin with that are new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub(super) in_force: Vec<RateLimit>,
    history_seconds: Option<u32>,
}

/// What the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The call was counted.
    Admitted,
    /// It was not.
    Refused {
        /// The limit that holds it back longest.
        limit: RateLimit,
        /// In how long a call is admitted if nobody else calls meanwhile.
        wait: Duration,
    },
}

impl Limits {
    pub(super) fn new(in_force: &[RateLimit]) -> Self {
        Self { in_force: in_force.to_vec(), history_seconds: None }
    }

    /// Other limits, which know what was called under these.
    pub(super) fn followed_by(&self, in_force: &[RateLimit]) -> Self {
        let longest = self.in_force.iter().map(|limit| limit.seconds()).max();
        Self { in_force: in_force.to_vec(), history_seconds: longest.or(self.history_seconds) }
    }

    /// What an answer says; nothing where it makes no sense.
    pub(super) fn ruling(&self, (limit, now, free_at): Answer) -> Option<Ruling> {
        let Some(limit) = limit.checked_sub(1) else { return Some(Ruling::Admitted) };
        let wait = Duration::from_micros(free_at.saturating_sub(now));
        Some(Ruling::Refused { limit: *self.in_force.get(limit)?, wait })
    }

    /// The question whether `key` may call now.
    pub(super) fn question<'a>(&self, script: &'a Script, key: CallKey<'_>) -> ScriptInvocation<'a> {
        let caller = caller_name(key);
        let mut question = script.prepare_invoke();
        for limit in &self.in_force {
            let span_micros = u64::from(limit.seconds()) * MICROS_PER_SECOND;
            question.key(list_name(&caller, limit.seconds()));
            question.arg(limit.calls_max()).arg(span_micros).arg(tick_micros(*limit));
        }
        if let Some(seconds) = self.history_seconds {
            question.key(list_name(&caller, seconds));
        }
        question
    }
}

/// What the server answers: the number of the limit that refuses or 0, its time, and when a call is admitted.
pub(super) type Answer = (usize, u64, u64);

/// A question of nobody, whose answer says that questions are answered.
pub(super) fn probe(script: &Script) -> ScriptInvocation<'_> {
    let mut question = script.prepare_invoke();
    question.key("ipstats:{probe}:1").arg(u32::MAX).arg(MICROS_PER_SECOND).arg(MICROS_PER_SECOND);
    question
}

/// The caller in names of keys. What stands in braces decides where a cluster keeps a key, so all of one caller's are together.
fn caller_name(key: CallKey<'_>) -> String {
    let CallKey { organization, application, operation } = key;
    format!("ipstats:{{{organization}:{}:{}}}", operation.name(), application_name(organization, application))
}

/// An application is called what its issuer likes: what could be taken for something else, or is long, is hashed.
fn application_name(organization: Organization, application: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&application.len()) && application.bytes().all(is_plain) {
        return application.to_owned();
    }
    let text = format!("{organization}/{application}");
    let hash = digest::digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().fold("sha256-".to_owned(), |mut name, byte| {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

fn list_name(caller: &str, seconds: u32) -> String {
    format!("{caller}:{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;

    fn name(application: &str) -> String {
        let organization = Organization::from_bytes([1; 16]);
        caller_name(CallKey { organization, application, operation: Operation::IpStats })
    }

    #[test]
    fn a_name_begins_with_the_organization_and_cannot_be_another_ones() {
        let organization = "ipstats:{01010101-0101-0101-0101-010101010101:ip_stats:";
        assert_eq!(name("9c6cf3a1"), format!("{organization}9c6cf3a1}}"));
        let long = "a".repeat(65);
        let names = ["", "a}", "a:b", "{a}", "ä", &long].map(name);
        for (index, hashed) in names.iter().enumerate() {
            assert!(hashed.starts_with(&format!("{organization}sha256-")) && hashed.len() < 200, "{hashed}");
            assert!(!names[..index].contains(hashed));
            assert_eq!(hashed.matches('}').count(), 1, "{hashed}");
        }
    }

    #[test]
    fn limits_begin_with_the_longest_history_there_was() {
        let limits = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let first = Limits::new(&limits(&["100 per 00:01:00", "1500 per 01:00:00"]));
        assert_eq!(first.history_seconds, None);
        let second = first.followed_by(&limits(&["5 per 00:00:10"]));
        assert_eq!(second.history_seconds, Some(3600));
        assert_eq!(second.followed_by(&[]).history_seconds, Some(10));
        assert_eq!(second.followed_by(&[]).followed_by(&[]).history_seconds, Some(10));
    }
}
