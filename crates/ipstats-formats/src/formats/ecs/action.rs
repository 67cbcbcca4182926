//! What the words of `event.action` mean, which products join with `-`, `_` or a space.

/// Words that show that a connection was refused, or failed.
const REFUSAL: [&str; 23] = [
    "deny",
    "denied",
    "denies",
    "drop",
    "dropped",
    "drops",
    "block",
    "blocked",
    "blocks",
    "reject",
    "rejected",
    "rejects",
    "refuse",
    "refused",
    "prevent",
    "prevented",
    "discard",
    "discarded",
    "fail",
    "failed",
    "failure",
    "unreachable",
    "unauthorized",
];

/// Words before a refusal that did not happen: a rule that only watches "would have dropped".
const UNREAL: [&str; 3] = ["not", "would", "no"];

/// Words of a connection, or of a decision on one.
const SESSION: [&str; 16] = [
    "accept",
    "accepted",
    "allow",
    "allowed",
    "conn",
    "connect",
    "connected",
    "connection",
    "flow",
    "pass",
    "passed",
    "permit",
    "permitted",
    "session",
    "traffic",
    "tunnel",
];

/// Whether an action shows that there was no connection.
pub(super) fn is_refusal(action: &str) -> bool {
    // Fortinet's word for a connection that failed.
    if action.eq_ignore_ascii_case("ip-conn") {
        return true;
    }
    // A firewall that resets refuses; a connection whose reset ended it was open: `tcp-reset`, `connection_reset`.
    let resets = words(action).next().is_some_and(|word| word.eq_ignore_ascii_case("reset"));
    let is_unreal = words(action).any(|word| is_any(word, &UNREAL));
    !is_unreal && (resets || words(action).any(|word| is_any(word, &REFUSAL)))
}

/// Whether an action is about a connection.
pub(super) fn is_of_session(action: &str) -> bool {
    words(action).any(|word| is_any(word, &SESSION)) || is_refusal(action)
}

fn words(action: &str) -> impl Iterator<Item = &str> {
    action.split(['-', '_', ' ']).filter(|word| !word.is_empty())
}

fn is_any(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_known_by_its_words() {
        for action in [
            "flow_denied",
            "flow_dropped",
            "firewall-denied",
            "connection-denied",
            "drop-packet",
            "reset_both",
            "Reset-Client",
            "prevented",
            "DISCARD",
            "ip-conn",
            "deny",
            "connection_failed",
        ] {
            assert!(is_refusal(action), "{action}");
        }
        for action in [
            "connection_attempted",
            "connected-to",
            "network_flow",
            "flow_terminated",
            "tcp-rst-from-server",
            "connection_reset",
            "client-rst",
            "failover",
            "would have dropped",
            "accept",
            "",
        ] {
            assert!(!is_refusal(action), "{action}");
        }
    }

    #[test]
    fn session_is_known_by_its_words() {
        for action in ["flow_started", "connection-finished", "Allow", "flow_denied", "ip-conn"] {
            assert!(is_of_session(action), "{action}");
        }
        for action in ["lookup_requested", "login", "http_request", "rule-matched", ""] {
            assert!(!is_of_session(action), "{action}");
        }
    }
}
