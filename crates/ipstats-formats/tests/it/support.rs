//! Reads whole streams.

use ipstats_formats::{Format, FormatChoice, Frame, Framer, Limits, Settings, StreamError, Tally};
use ipstats_model::Batch;
use std::fmt::Write;

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) format: Option<Format>,
    /// `device ip time`, in the order of the stream.
    pub(crate) connections: Vec<String>,
    pub(crate) tally: Tally,
    /// The error the stream ended with.
    pub(crate) error: Option<StreamError>,
}

/// Frames of a stream that comes in these pieces.
pub(crate) fn frames<'a>(
    choice: FormatChoice,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Framer, Option<StreamError>) {
    let mut stream = Framer::new(choice, limits);
    let mut frames = Vec::new();
    let fed = pieces.into_iter().try_for_each(|piece| stream.feed(piece, &mut frames));
    let error = fed.and_then(|()| stream.finish(&mut frames)).err();
    (frames, stream, error)
}

/// Reads a stream that comes in these pieces.
pub(crate) fn read_pieces<'a>(
    choice: FormatChoice,
    settings: &Settings,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Read {
    let (frames, stream, error) = frames(choice, settings.limits, pieces);
    let (mut connections, mut tally) = (Vec::new(), Tally::default());
    // As threads would: each frame into a batch and a tally of its own.
    for frame in &frames {
        let (mut batch, mut part) = (Batch::new(), Tally::default());
        frame.parse(settings, &mut batch, &mut part);
        let names: Vec<_> = batch.devices().collect();
        let shown =
            batch.rows().iter().map(|row| format!("{} {} {}", names[row.device as usize], row.ip, row.at));
        connections.extend(shown);
        tally.merge(&part);
    }
    assert_eq!(connections.len() as u64, tally.connections());
    Read { format: stream.format(), connections, tally, error }
}

/// Reads a stream that comes in one piece.
pub(crate) fn read(choice: impl Into<FormatChoice>, settings: &Settings, bytes: &[u8]) -> Read {
    read_pieces(choice.into(), settings, [bytes])
}

/// Reads a stream in the automatic choice with default settings.
pub(crate) fn read_auto(text: impl AsRef<[u8]>) -> Read {
    read(FormatChoice::Auto, &Settings::default(), text.as_ref())
}

impl Read {
    /// The reasons of records that are no connections, with their counts.
    pub(crate) fn reasons(&self) -> Vec<(&'static str, u64)> {
        self.tally.not_a_connection().map(|(reason, count)| (reason.name(), count)).collect()
    }

    /// The issues, as text.
    pub(crate) fn issues(&self) -> Vec<String> {
        self.tally.issues().iter().map(ToString::to_string).collect()
    }

    /// All of it for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let mut text = match (self.format, &self.error) {
            (Some(format), None) => format!("format {format}\n"),
            (Some(format), Some(error)) => format!("format {format}\nerror {error}\n"),
            (None, Some(error)) => format!("error {error}\n"),
            (None, None) => "no format\n".to_owned(),
        };
        for connection in &self.connections {
            let _ = writeln!(text, "connection {connection}");
        }
        for (reason, count) in self.reasons() {
            let _ = writeln!(text, "not a connection: {reason} {count}");
        }
        let _ = writeln!(text, "malformed {}", self.tally.malformed());
        for issue in self.issues() {
            let _ = writeln!(text, "  {issue}");
        }
        if let (Some(oldest), Some(newest)) = (self.tally.oldest(), self.tally.newest()) {
            let _ = writeln!(text, "oldest {oldest}\nnewest {newest}");
        }
        text
    }
}
