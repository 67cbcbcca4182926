//! Logs to a service.
//!
//! They are sent one after the other, compressed as they are. Standard input is first kept in a temporary file, so that it
//! can be sent again.

use super::ImportArgs;
use super::account::Account;
use super::notes::of_another_format;
use crate::cli::output;
use crate::cli::server_args::telling;
use crate::client::{LogAnswer, Logs, NotTaken};
use crate::ingest::{Source, SourceError};
use crate::visible::Visible;
use indicatif::{ProgressBar, ProgressStyle};
use ipstats_formats::FormatChoice;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Most bytes that are kept of what can be read only once: no service takes more in one log.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let access = args.server.access(None)?;
    let (url, bar) = (access.url.clone(), ProgressBar::new(0));
    let courier = args.server.courier(&access, telling(bar.clone()))?;
    let logs = Logs::new(url, access.ingest_key(args.key_file.as_deref())?, courier);

    let started = Instant::now();
    let (mut account, mut whole, mut taken) = (Account::default(), true, false);
    for source in args.files.into_iter().map(Source::named) {
        if source.is_empty_file() {
            bar.suspend(|| output::note(format_args!("warning: {source}: {}", SourceError::Empty)));
            account.warn(&source, &SourceError::Empty);
            taken = true;
            continue;
        }
        match send(&logs, &source, args.format, &bar) {
            Ok(answer) => {
                taken = true;
                bar.suspend(|| note_about(&source, args.format, &answer));
                account.add(&source, answer);
            }
            Err(Failure { message, recorded, stops }) => {
                whole = false;
                if let Some(recorded) = recorded {
                    taken = true;
                    account.add(&source, *recorded);
                }
                bar.suspend(|| output::note(format_args!("error: {source}: {message}")));
                if stops {
                    break;
                }
            }
        }
    }
    bar.finish_and_clear();
    if taken || args.json {
        account.took(started.elapsed()).print(args.json)?;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why a log was not taken, and whether others have a chance.
struct Failure {
    message: String,
    /// What became of the records before it.
    recorded: Option<Box<LogAnswer>>,
    stops: bool,
}

fn send(logs: &Logs, source: &Source, format: FormatChoice, bar: &ProgressBar) -> Result<LogAnswer, Failure> {
    let log = Log::of(source)?;
    log.show(source, bar);
    logs.send(format, || log.open(bar)).map_err(Failure::from)
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self { message: error.to_string(), recorded: None, stops: false }
    }
}

impl From<NotTaken> for Failure {
    fn from(failure: NotTaken) -> Self {
        match failure {
            NotTaken::Log(error) => SourceError::opening(error).into(),
            NotTaken::Refused { message, recorded } => {
                Self { message: format!("the service refuses it: {message}"), recorded, stops: false }
            }
            NotTaken::Service(error) => Self {
                message: format!(
                    "{error}; stopped there: what was counted is safe, and once that is solved everything can be sent \
                     again, nothing is counted twice"
                ),
                recorded: None,
                stops: true,
            },
        }
    }
}

/// Notes why nothing of a log was counted, and what else the service reports about it.
fn note_about(source: &Source, format: FormatChoice, answer: &LogAnswer) {
    if answer.counted == 0
        && answer.outside_retention == 0
        && let Some(note) = of_another_format(source, format)
    {
        output::note(note);
    } else if let Some(note) = &answer.note {
        output::note(format_args!("note: {source}: {}", Visible(note)));
    }
    if let LogAnswer {
        counted: 0,
        outside_retention: 1..,
        oldest_event: Some(oldest),
        newest_event: Some(newest),
        ..
    } = answer
    {
        output::note(format_args!(
            "note: nothing of {source} was counted: its events are from {oldest} to {newest}, and the service keeps the \
             last 30 days"
        ));
    }
}

/// A log that can be read from its start as often as needed.
enum Log {
    File(PathBuf),
    /// What can be read only once, kept.
    Kept(File),
}

impl Log {
    fn of(source: &Source) -> Result<Self, SourceError> {
        let path = match source {
            Source::Stdin => return Self::keep(io::stdin()),
            Source::File(path) => path,
        };
        let metadata = path.metadata().map_err(SourceError::opening)?;
        if metadata.is_dir() {
            Err(SourceError::Folder(path.clone()))
        } else if !metadata.is_file() {
            // A pipe, for example.
            Self::keep(File::open(path).map_err(SourceError::opening)?)
        } else if metadata.len() == 0 {
            Err(SourceError::Empty)
        } else {
            Ok(Self::File(path.clone()))
        }
    }

    fn keep(log: impl Read) -> Result<Self, SourceError> {
        let mut file = tempfile::tempfile().map_err(SourceError::Read)?;
        match io::copy(&mut log.take(KEPT_BYTES_MAX), &mut file).map_err(SourceError::Read)? {
            0 => Err(SourceError::Empty),
            KEPT_BYTES_MAX => Err(SourceError::Read(io::Error::other(
                "1 GiB or more without a file name cannot be kept for sending: put it into files",
            ))),
            _ => Ok(Self::Kept(file)),
        }
    }

    fn show(&self, source: &Source, bar: &ProgressBar) {
        let length = match self {
            Self::File(path) => path.metadata(),
            Self::Kept(file) => file.metadata(),
        };
        bar.reset();
        bar.set_length(length.map_or(0, |metadata| metadata.len()));
        if let Ok(style) =
            ProgressStyle::with_template("{bar:32} {bytes} of {total_bytes} sent, {msg} ({elapsed})")
        {
            bar.set_style(style);
        }
        bar.set_message(source.to_string());
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
    }

    fn open(&self, bar: &ProgressBar) -> io::Result<Box<dyn Read + Send>> {
        bar.set_position(0);
        let file = match self {
            Self::File(path) => File::open(path)?,
            Self::Kept(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                file
            }
        };
        Ok(Box::new(bar.wrap_read(file)))
    }
}
