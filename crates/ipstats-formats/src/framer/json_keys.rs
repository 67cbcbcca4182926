//! The keys in the first bytes of a JSON stream, which say what format it is.

/// Keys of JSON objects in a text that may be cut off anywhere.
#[derive(Debug)]
pub(crate) struct JsonKeys<'a> {
    keys: Vec<Key<'a>>,
    /// Where the first value ends, if it does.
    first_end: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key<'a> {
    name: &'a [u8],
    /// Of an object that is in no other object.
    is_top: bool,
    /// Of a top-level object, and its value is an array.
    is_list: bool,
}

impl<'a> JsonKeys<'a> {
    /// The keys in `text`.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut found = Self { keys: Vec::new(), first_end: None };
        let (mut depth, mut objects) = (0_usize, 0_usize);
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    objects += usize::from(*byte == b'{');
                }
                b'}' | b']' => {
                    objects = objects.saturating_sub(usize::from(*byte == b'}'));
                    depth = depth.saturating_sub(1);
                    if depth == 0 && found.first_end.is_none() {
                        found.first_end = Some(at);
                    }
                }
                b'"' => {
                    let Some(length) = string_length(text.get(at..).unwrap_or_default()) else { break };
                    let name = text.get(at..at + length).unwrap_or_default();
                    at += length + 1;
                    let behind = text.get(at..).unwrap_or_default().trim_ascii_start();
                    if let Some((b':', value)) = behind.split_first() {
                        let is_list = depth == 1 && value.trim_ascii_start().starts_with(b"[");
                        found.keys.push(Key { name, is_top: objects == 1, is_list });
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Whether there is a key `name`, at any depth.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name.as_bytes())
    }

    /// Whether a record has a key `name` itself, not only an object inside it.
    pub(crate) fn has_top(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.is_top && key.name == name.as_bytes())
    }

    /// Whether a top-level object has a key `name` whose value is an array.
    pub(crate) fn has_list(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.is_list && key.name == name.as_bytes())
    }

    /// Where the first value ends, if it does.
    pub(super) const fn first_end(&self) -> Option<usize> {
        self.first_end
    }
}

/// Length of the string that `text` starts inside of, without its closing quote.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at) {
            Some(b'"') => return Some(at),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_text_that_is_cut_off() {
        let keys = JsonKeys::new(br#"{"a" : "b\":", "c":[{"d":1}, "e"], "f":"g"#);
        for (name, has, is_list) in
            [("a", true, false), ("c", true, true), ("d", true, false), ("e", false, false)]
        {
            assert_eq!((keys.has(name), keys.has_list(name)), (has, is_list), "{name}");
        }
        assert!(keys.has("f") && !keys.has("g") && !keys.has("b\\\""));
        assert!(keys.has_top("a") && keys.has_top("c") && !keys.has_top("d") && keys.has_top("f"));
        assert!(JsonKeys::new(br#"[{"a":{"b":1}},{"c""#).has_top("a"));
        assert!(!JsonKeys::new(br#"[{"a":{"b":1}},{"c""#).has_top("b"));
        assert_eq!(keys.first_end(), None);
        assert_eq!(JsonKeys::new(br#"{"a":["}"]} {"#).first_end(), Some(11));
    }
}
