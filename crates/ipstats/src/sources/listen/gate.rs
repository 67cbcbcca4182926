//! Who may send to a source.

use crate::sources::account::Account;
use crate::sources::recorder::Recorder;
use ipnet::IpNet;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// Refused senders that the log names.
const NAMED_MAX: usize = 32;

/// The senders that are admitted. Others are counted, and the first of them named in the log.
pub(super) struct Gate {
    from: Vec<IpNet>,
    account: Arc<Account>,
    source: String,
    named: Mutex<HashSet<IpAddr>>,
}

impl Gate {
    /// Admits the networks of `from`.
    pub(super) fn new(from: Vec<IpNet>, recorder: &Recorder) -> Self {
        let (account, source) = (Arc::clone(recorder.account()), recorder.name().to_owned());
        Self { from, account, source, named: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn of(from: &[&str], account: Arc<Account>) -> Self {
        let from = from.iter().map(|network| network.parse().unwrap()).collect();
        Self { from, account, source: "test".to_owned(), named: Mutex::default() }
    }

    /// Whether what `sender` sends is taken; if not, that is one message or connection refused.
    pub(super) fn admits(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        let is_admitted = self.from.iter().any(|network| network.contains(&sender));
        if !is_admitted {
            self.refuse(sender, "it is in no network of `from`");
        }
        is_admitted
    }

    /// Counts a pause after `error`, with which the system gave no connection; says so where that is news.
    pub(super) fn pauses(&self, error: &io::Error, is_news: bool) {
        self.account.paused();
        if is_news {
            tracing::warn!(
                source = self.source,
                "no connection can be taken in: {error}; those that wait are tried again"
            );
        }
    }

    /// Connections are taken in again.
    pub(super) fn goes_on(&self) {
        tracing::info!(source = self.source, "connections are taken in again");
    }

    /// Counts what is not taken of `sender`.
    pub(super) fn refuse(&self, sender: IpAddr, why: &str) {
        self.account.refused();
        let mut named = self.named.lock();
        if named.len() < NAMED_MAX && named.insert(sender) {
            tracing::warn!(source = self.source, %sender, "what this sender sends is refused: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipstats_model::Timestamp;

    #[test]
    fn senders_of_other_networks_are_refused_and_counted() {
        let account = Arc::new(Account::default());
        let gate = Gate::of(&["10.0.0.0/8", "2001:db8::/32"], Arc::clone(&account));
        for (sender, is_admitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("11.0.0.1", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(gate.admits(sender.parse().unwrap()), is_admitted, "{sender}");
        }
        assert_eq!(account.statement(Timestamp::from_second(0)).unread.refused, 3);
        (0..1000_u32).for_each(|sender| assert!(!gate.admits(IpAddr::from(sender.to_be_bytes()))));
        assert_eq!(gate.named.lock().len(), NAMED_MAX);
    }

    #[test]
    fn pauses_are_counted() {
        let account = Arc::new(Account::default());
        let gate = Gate::of(&["10.0.0.0/8"], Arc::clone(&account));
        let error = io::Error::other("too many open files");
        (0..3).for_each(|pause| gate.pauses(&error, pause == 0));
        let unread = account.statement(Timestamp::from_second(0)).unread;
        assert_eq!((unread.pauses, unread.refused), (3, 0));
    }
}
