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
