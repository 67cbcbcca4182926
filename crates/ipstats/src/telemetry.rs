//! Structured logs: one event a line to standard error, as text for people or as JSON for machines.
//!
//! Secrets and tokens never get here: types that hold them have no `Display`, and their `Debug` shows nothing.

use crate::config::{Config, LogFormat};
use std::error::Error;
use std::io::{self, IsTerminal};
use std::panic;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging for this process as `config` says. A second start changes nothing.
pub fn init(config: &Config) {
    // The filter was checked when the configuration was read.
    let filter = EnvFilter::try_new(directives(&config.log_level)).unwrap_or_default();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).try_init(),
        // Fields stand beside the message; an error's `target` is a field, so the module goes without its own.
        LogFormat::Json => {
            logs.json().flatten_event(true).with_span_list(false).with_target(false).try_init()
        }
    };
    if started.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("(no message)");
            tracing::error!(place, "a thread panicked: {message}");
        }));
    }
}

/// An error and its causes on one line. Many errors tell their cause themselves: it is not told twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}

/// A bare level is about this program: the libraries below it tell what they do in a detail that is for their authors,
/// so of them only warnings are wanted. A filter with targets is taken as it is.
fn directives(level: &str) -> String {
    match level.parse::<LevelFilter>() {
        Ok(level) => format!("{},ipstats={level}", level.min(LevelFilter::WARN)),
        Err(_) => level.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::other("disk on fire");
        let error =
            anyhow::Error::from(cause()).context("reading: disk on fire (call someone)").context("no answer");
        assert_eq!(chain(error.as_ref()), "no answer: reading: disk on fire (call someone)");
        assert_eq!(
            chain(anyhow::Error::from(cause()).context("no answer").as_ref()),
            "no answer: disk on fire"
        );
    }

    #[test]
    fn a_bare_level_is_about_this_program() {
        for (level, expected) in [
            ("info", "warn,ipstats=info"),
            ("debug", "warn,ipstats=debug"),
            ("error", "error,ipstats=error"),
            ("off", "off,ipstats=off"),
            ("debug,fjall=trace", "debug,fjall=trace"),
        ] {
            assert_eq!(directives(level), expected);
        }
    }
}
