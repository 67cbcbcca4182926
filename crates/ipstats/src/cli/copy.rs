//! `ipstats copy`: what one store holds, into another one.

mod place;

use super::{ClockArgs, output};
use crate::config::Config;
use crate::copy::{Copied, Place, Progress, Tally, copy};
use crate::store::LeftOut;
use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the progress line moves.
const TICK: Duration = Duration::from_millis(200);

/// Arguments of `copy`.
#[derive(Debug, Args)]
pub(super) struct CopyArgs {
    /// What to copy: a data folder, or a configuration file that says where connections are kept
    #[arg(long, value_name = "FOLDER|FILE")]
    from: PathBuf,
    /// Where to copy it: a data folder (made where it is missing), or a configuration file
    #[arg(long, value_name = "FOLDER|FILE")]
    to: PathBuf,
    #[command(flatten)]
    clock: ClockArgs,
}

/// Runs the command.
pub(super) fn run(args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let (from, to) = (place::source(&args.from)?, place::target(&args.to)?);
    if place::are_the_same(&from, &to) {
        bail!("--from and --to are the same store: {}", place::name(&from));
    }
    let clock = args.clock.clock();
    let open = |config: &Config, option: &str| Place::open(config, &clock).context(option.to_owned());
    let (source, target) = (open(&from, "--from")?, open(&to, "--to")?);
    for (config, place) in [(&from, &source), (&to, &target)] {
        if place.is_service() {
            output::note(format_args!("asking the service that runs on {}", config.data_dir.display()));
        }
    }
    let (stop, progress, started) = (stop_on_signal()?, Arc::new(Progress::default()), Instant::now());
    let copied = {
        let _line = Line::follow(&progress);
        copy(&source, &target, &progress, &stop)
    };
    let written = format!("{}, in {}", shown(progress.tally()), elapsed(started.elapsed()));
    let copied = copied.with_context(|| {
        format!(
            "not everything was copied ({written}); what was copied is there, and copying again does no harm"
        )
    })?;
    target.close().context("what was copied is safe, but the target could not be closed")?;
    drop(source);
    Ok(match copied {
        Copied::Stopped => {
            output::note(format_args!("stopped: {written}; copy again for the rest"));
            ExitCode::FAILURE
        }
        Copied::Whole { left_out, checkpoints } => {
            notes(left_out).iter().for_each(output::note);
            output::result(format_args!("copied {written}; {checkpoints} checkpoints of sources"))?;
            ExitCode::SUCCESS
        }
    })
}

fn notes(left_out: LeftOut) -> Vec<String> {
    let LeftOut { too_far_ahead, without_device } = left_out;
    let note = |count: u64, what: &str| (count > 0).then(|| format!("left out: {count} contacts {what}"));
    [
        note(too_far_ahead, "more than 5 minutes ahead of the clock"),
        note(without_device, "of devices without a name, or with one that is too long"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn shown(tally: Tally) -> String {
    let Tally { organizations, contacts, moments, first_contacts } = tally;
    let s = if organizations == 1 { "" } else { "s" };
    format!(
        "{organizations} organization{s}: {contacts} contacts of devices, {moments} further minutes, \
         {first_contacts} first contacts that have expired"
    )
}

fn elapsed(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A flag that SIGINT and SIGTERM raise; the second signal ends the process at once.
fn stop_on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handle = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            output::note("stopped at once: the copy is not finished; run it again, nothing counts twice");
            process::exit(130);
        }
        output::note("stopping: finishing what was read (once more to stop at once)");
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}

/// The progress line, where standard error is a terminal, until it is dropped.
struct Line(ProgressBar);

impl Line {
    fn follow(progress: &Arc<Progress>) -> Self {
        let bar = ProgressBar::new_spinner();
        if !bar.is_hidden() {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            let (bar, progress) = (bar.clone(), Arc::clone(progress));
            thread::spawn(move || {
                while !bar.is_finished() {
                    bar.set_message(shown(progress.tally()));
                    bar.tick();
                    thread::sleep(TICK);
                }
            });
        }
        Self(bar)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
