//! The progress bar of an import: bytes, records a second, time left. Only where standard error is a terminal.

use crate::ingest::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// A bar that follows a [`Progress`] until it is dropped.
pub(super) struct Bar {
    shown: ProgressBar,
    done: Arc<AtomicBool>,
    painter: Option<JoinHandle<()>>,
}

impl Bar {
    /// Starts to show `progress`.
    pub(super) fn follow(progress: Arc<Progress>) -> Self {
        let bar = ProgressBar::new(0);
        let done = Arc::new(AtomicBool::new(false));
        let painter = (!bar.is_hidden()).then(|| {
            let (bar, done) = (bar.clone(), Arc::clone(&done));
            thread::spawn(move || paint(&bar, &progress, &done))
        });
        Self { shown: bar, done, painter }
    }

    /// Removes the bar, and says what is being done now that all is read.
    pub(super) fn finishing(&mut self) {
        self.stop_painting();
        if !self.shown.is_hidden() {
            self.shown.set_style(style("{spinner} writing the index ({elapsed})"));
            self.shown.enable_steady_tick(TICK);
        }
    }

    fn stop_painting(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(painter) = self.painter.take() {
            // A bar that could not be painted is no reason to fail.
            let _ = painter.join();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.stop_painting();
        self.shown.finish_and_clear();
    }
}

fn paint(bar: &ProgressBar, progress: &Progress, done: &AtomicBool) {
    let started = Instant::now();
    let mut total_shown = None;
    while !done.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        if progress.records() == 0 {
            // Nothing to say yet, and no speed to guess the time left from.
            continue;
        }
        let total = progress.bytes_total();
        if total_shown.replace(total) != Some(total) {
            bar.set_style(style(match total {
                0 => "{spinner} {bytes}, {msg} ({elapsed})",
                _ => "{bar:32} {bytes} of {total_bytes}, {msg}, {eta} left",
            }));
            bar.set_length(total);
        }
        bar.set_message(rate(progress.records(), started.elapsed()));
        bar.set_position(progress.bytes());
        bar.tick();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are this file's own: the default never shows.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `count` in `elapsed` as a rate for people, such as `2.31 M records/s`.
pub(super) fn rate(count: u64, elapsed: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let rate = count as f64 / elapsed.as_secs_f64().max(1e-3);
    match rate {
        1e6.. => format!("{:.2} M records/s", rate / 1e6),
        1e3.. => format!("{:.0} k records/s", rate / 1e3),
        _ => format!("{rate:.0} records/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_readable() {
        let second = Duration::from_secs(1);
        assert_eq!(rate(2_310_000, second), "2.31 M records/s");
        assert_eq!(rate(45_300, second), "45 k records/s");
        assert_eq!(rate(12, second), "12 records/s");
        assert_eq!(rate(0, Duration::ZERO), "0 records/s");
    }
}
