//! Text of others (device names, file names, arguments) as a terminal may show it: what would steer the terminal, begin
//! a new line or turn the direction of reading is written out, as `\u{1b}`.

use std::fmt::{self, Display, Write};

/// A text on one line.
#[derive(Debug, Clone, Copy)]
pub struct Visible<T>(pub T);

/// A text whose lines are ours: as [`Visible`], but lines end where they end.
#[derive(Debug, Clone, Copy)]
pub struct VisibleLines<T>(pub T);

impl<T: Display> Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, keep: None }, "{}", self.0)
    }
}

impl<T: Display> Display for VisibleLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, keep: Some('\n') }, "{}", self.0)
    }
}

struct Escaping<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    keep: Option<char>,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| {
            if steers(char) && self.keep != Some(char) {
                write!(self.to, "{}", char.escape_default())
            } else {
                self.to.write_char(char)
            }
        })
    }
}

/// Control characters, separators of lines, and marks of direction (Unicode Standard Annex 9, section 2).
fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        for (text, shown) in [
            ("host-1", "host-1"),
            ("Büro ▁█ 電脳", "Büro ▁█ 電脳"),
            ("\u{1b}[2J\u{7}x", "\\u{1b}[2J\\u{7}x"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
        ] {
            assert_eq!(Visible(text).to_string(), shown);
        }
        assert_eq!(VisibleLines("a\n\u{1b}b\r\n").to_string(), "a\n\\u{1b}b\\r\n");
    }
}
