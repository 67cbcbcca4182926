//! Why a stream as a whole cannot be read.

use crate::format::{Format, FormatChoice};

/// Why a stream as a whole cannot be read. What was framed before it is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The first lines fit no format that was asked for.
    #[error("{}: it starts with {start:?}; name {}", fits(*choice, *looks_like), way_out(*looks_like))]
    NotRecognized {
        /// What was asked for.
        choice: FormatChoice,
        /// What it is instead.
        looks_like: Option<Format>,
        /// The first characters of the stream.
        start: String,
    },
    /// The stream is not text in UTF-8.
    #[error("binary data ({looks_like}); {way_out}")]
    Binary {
        /// What it seems to be.
        looks_like: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// The header lacks columns that are needed.
    #[error("line {line}: the header of {format} has no column {columns}; export the log with it", columns = .missing.join(", "))]
    MissingColumns {
        /// Where the header is.
        line: u64,
        /// The format.
        format: Format,
        /// The columns that are missing, as the format names them.
        missing: Vec<String>,
    },
    /// A Zeek row before any `#fields` line.
    #[error("line {line}: a row before any #fields line; keep the header lines of the Zeek log")]
    NoHeader {
        /// Where the row is.
        line: u64,
    },
    /// A Zeek `#separator` that is not one byte.
    #[error(
        "line {line}: the separator {separator:?} is not one byte; write the Zeek log with a separator of one byte"
    )]
    Separator {
        /// Where the separator is declared.
        line: u64,
        /// As declared.
        separator: String,
    },
}

impl StreamError {
    /// That the header on `line` lacks these columns.
    pub(crate) fn missing_columns<'a>(
        line: u64,
        format: Format,
        missing: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::MissingColumns { line, format, missing: missing.into_iter().map(str::to_owned).collect() }
    }
}

fn fits(choice: FormatChoice, looks_like: Option<Format>) -> String {
    match (choice, looks_like) {
        (_, Some(format)) => format!("looks like {format}, not {choice}"),
        (FormatChoice::Auto, None) => "format not recognized".to_owned(),
        (_, None) => format!("not recognized as {choice}"),
    }
}

fn way_out(looks_like: Option<Format>) -> String {
    if let Some(format) = looks_like {
        return format!("{format} or auto");
    }
    let names = FormatChoice::names().filter(|name| *name != "auto");
    format!("the format ({})", names.collect::<Vec<_>>().join(", "))
}
