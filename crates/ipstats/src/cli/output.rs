//! Where the command line's words go: results to standard output, everything said about them to standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line of a result to standard output.
///
/// A closed pipe (`ipstats stats - | head -1`) is an error like any other here; [`main`](super::main) ends quietly on it.
pub fn result(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Says something to the person at the terminal, on standard error. Nobody may be listening: that is no error.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
