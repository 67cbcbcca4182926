//! Asking a running service over HTTP, as `stats --server` and `import --server` do: this one, or any other that speaks
//! Defender's API.
//!
//! ```text
//! IPs ─▶ in_order ─▶ Statistics ─▶ Tokens ─▶ token endpoint
//!                        │            both through Courier: retries, waits
//!                        └─▶ GET /api/ips/{ip}/stats
//! ```
//!
//! Invariants:
//! - Secrets go to the URLs they are meant for and nowhere else: redirects are not followed, and no error or note holds a
//!   secret or a token.
//! - Every wait is bounded, and so is what is read of an answer.
//! - It neither prints nor reads settings: what there is to say while it waits goes to a [`Listener`].

mod courier;
mod error;
mod in_order;
mod log_body;
mod logs;
mod operator;
mod operator_link;
mod patience;
mod statistics;
mod tokens;

pub use courier::{Courier, Listener};
pub use error::ClientError;
pub use in_order::{Lost, in_order};
pub use logs::{Issue, LogAnswer, Logs, NotTaken};
pub use operator::{OperatorError, ask_operator};
pub use operator_link::OperatorLink;
pub use statistics::{Refused, Statistics, StatisticsAnswer};
