//! Structured logs: one event a line to standard error, as text for people or as JSON for machines.
//!
//! Secrets and tokens never get here: types that hold them have no `Display`, and their `Debug` shows nothing.

use crate::config::{Config, LogFormat};
use std::io::{self, IsTerminal};
use std::panic;
use tracing_subscriber::EnvFilter;

/// Starts logging for this process as `config` says. A second start changes nothing.
pub fn init(config: &Config) {
    // The filter was checked when the configuration was read.
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_default();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(true).try_init(),
    };
    if started.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("(no message)");
            tracing::error!(place, "a thread panicked: {message}");
        }));
    }
}
