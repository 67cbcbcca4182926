//! Where the command line's words go: results to standard output, everything said about them to standard error.
//!
//! Invariant: what is printed for people cannot steer their terminal, wherever it came from. JSON is for programs, and
//! printed as it is.

use crate::visible::VisibleLines;
use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line (or several) of a result for people to standard output.
///
/// A closed pipe (`ipstats stats - | head -1`) is an error like any other here; [`main`](super::main) ends quietly on it.
pub fn result(lines: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", VisibleLines(lines))
}

/// Writes one JSON value to standard output.
pub fn json(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Says something to the person at the terminal, on standard error. Nobody may be listening: that is no error.
pub fn note(lines: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", VisibleLines(lines));
}
