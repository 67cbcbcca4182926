//! Where in a JSON value a byte is: how deep, and whether in a string.

use memchr::memchr3;

/// Follows one JSON value that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: u64,
    in_string: bool,
    /// Behind a backslash in a string.
    escaped: bool,
}

/// What ended a step of [`Nesting::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The bytes are used up.
    More,
    /// An array opened.
    Array,
    /// The value is complete.
    Closed,
    /// A line ends inside a string. The line end is not used.
    Broken,
}

impl Nesting {
    /// Before the value.
    pub(super) const fn new() -> Self {
        Self { depth: 0, in_string: false, escaped: false }
    }

    /// Inside an object that is the value.
    pub(super) const fn in_object() -> Self {
        Self { depth: 1, in_string: false, escaped: false }
    }

    /// How many arrays and objects are open.
    pub(super) const fn depth(&self) -> u64 {
        self.depth
    }

    /// Goes on to the next event; how many bytes that took.
    pub(super) fn next(&mut self, bytes: &[u8]) -> (usize, Event) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let (step, event) = if self.in_string { self.in_string(rest) } else { self.outside(rest) };
            used += step;
            if event != Event::More {
                return (used, event);
            }
        }
        (used, Event::More)
    }

    fn outside(&mut self, bytes: &[u8]) -> (usize, Event) {
        let is_structural = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
        let Some(at) = bytes.iter().position(is_structural) else { return (bytes.len(), Event::More) };
        let event = match bytes.get(at) {
            Some(b'"') => {
                self.in_string = true;
                Event::More
            }
            Some(b'{') => {
                self.depth += 1;
                Event::More
            }
            Some(b'[') => {
                self.depth += 1;
                Event::Array
            }
            _ => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 { Event::Closed } else { Event::More }
            }
        };
        (at + 1, event)
    }

    fn in_string(&mut self, bytes: &[u8]) -> (usize, Event) {
        if std::mem::take(&mut self.escaped) && bytes.first() != Some(&b'\n') {
            return (1, Event::More);
        }
        let Some(at) = memchr3(b'"', b'\\', b'\n', bytes) else { return (bytes.len(), Event::More) };
        match bytes.get(at) {
            Some(b'\\') => {
                self.escaped = true;
                (at + 1, Event::More)
            }
            Some(b'"') => {
                self.in_string = false;
                (at + 1, if self.depth == 0 { Event::Closed } else { Event::More })
            }
            _ => (at, Event::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of `text`, with what was used before each, however it is cut.
    fn events(text: &str) -> Vec<(String, Event)> {
        let whole = steps(text, text.len());
        for size in 1..text.len() {
            assert_eq!(steps(text, size), whole, "{size} bytes at a time");
        }
        whole
    }

    fn steps(text: &str, size: usize) -> Vec<(String, Event)> {
        let (mut nesting, mut steps, mut before) = (Nesting::default(), Vec::new(), String::new());
        for mut piece in text.as_bytes().chunks(size) {
            while !piece.is_empty() {
                let (used, event) = nesting.next(piece);
                before.push_str(std::str::from_utf8(&piece[..used]).unwrap());
                piece = &piece[used..];
                if event != Event::More {
                    steps.push((std::mem::take(&mut before), event));
                }
                if matches!(event, Event::Closed | Event::Broken) {
                    return steps;
                }
            }
        }
        steps
    }

    #[test]
    fn values_close_where_they_opened() {
        for text in [r#"{"a":"}","b":{"c\\":"\""}}"#, r#""x\"]""#, "{}", r#"{"\\":{}}"#] {
            assert_eq!(events(&format!("{text},rest]")), [(text.to_owned(), Event::Closed)]);
        }
        let array = [
            ("[".to_owned(), Event::Array),
            ("1,[".to_owned(), Event::Array),
            ("]]".to_owned(), Event::Closed),
        ];
        assert_eq!(events("[1,[]]"), array);
    }

    #[test]
    fn a_line_end_in_a_string_breaks_it() {
        for text in [r#"{"a":"b"#, r#"{"a":"b\"#] {
            assert_eq!(events(&format!("{text}\n\"}}")), [(text.to_owned(), Event::Broken)]);
        }
    }
}
