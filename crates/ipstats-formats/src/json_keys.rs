//! The keys of a JSON record, or of the first bytes of a JSON stream: they show which format it is.

/// Keys of JSON objects in a text that may be cut off anywhere.
#[derive(Debug)]
pub(crate) struct JsonKeys<'a> {
    text: &'a [u8],
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
    /// Where the text after the colon starts.
    value: usize,
    /// Where the value ends, if it is a string: it may be long, and is scanned once.
    string_end: Option<usize>,
}

/// The value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A string, with its quotes.
    Text(&'a [u8]),
    /// An object, with its braces.
    Object(&'a [u8]),
    /// An array, with its brackets.
    List(&'a [u8]),
    /// A number, a word, or a value that is cut off.
    Other,
}

/// Bytes that are looked at one by one before the rest is searched.
const NEAR_BYTES: usize = 16;

/// Keys that a usual record has.
const KEYS_USUAL: usize = 32;

impl<'a> JsonKeys<'a> {
    /// The keys in `text`.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut found = Self { text, keys: Vec::with_capacity(KEYS_USUAL), first_end: None };
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
                    let rest = text.get(at..).unwrap_or_default().trim_ascii_start();
                    if rest.first() != Some(&b':')
                        && let Some(key) = found.keys.last_mut()
                    {
                        key.string_end.get_or_insert(at);
                    }
                    if let Some((b':', value)) = rest.split_first() {
                        let is_list = depth == 1 && value.trim_ascii_start().starts_with(b"[");
                        let value = text.len() - value.len();
                        found.keys.push(Key { name, is_top: objects == 1, is_list, value, string_end: None });
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

    /// The value of the key `name` of a record.
    pub(crate) fn value(&self, name: &str) -> Option<Value<'a>> {
        let key = self.keys.iter().find(|key| key.is_top && key.name == name.as_bytes())?;
        Some(self.value_of(key))
    }

    /// The value of the only key that a record has.
    pub(crate) fn only_value(&self) -> Option<Value<'a>> {
        let mut top = self.keys.iter().filter(|key| key.is_top);
        let only = top.next()?;
        top.next().is_none().then(|| self.value_of(only))
    }

    /// Where the first value ends, if it does.
    pub(crate) const fn first_end(&self) -> Option<usize> {
        self.first_end
    }

    fn value_of(&self, key: &Key<'_>) -> Value<'a> {
        let text = self.text.get(key.value..).unwrap_or_default().trim_ascii_start();
        let start = self.text.len() - text.len();
        let end = match text.first() {
            Some(b'"') => key.string_end.map(|end| end - start),
            Some(b'{' | b'[') => compound_length(text),
            _ => None,
        };
        let Some(value) = end.and_then(|end| text.get(..end)) else { return Value::Other };
        match value.first() {
            Some(b'"') => Value::Text(value),
            Some(b'{') => Value::Object(value),
            _ => Value::List(value),
        }
    }
}

/// Length of the array or object that `text` starts with.
fn compound_length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let byte = text.get(at)?;
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at += string_length(text.get(at..)?)? + 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Length of the string that `text` starts inside of, without its closing quote.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        // Escapes stand close to each other in JSON inside of JSON, where a byte at a time is faster.
        let near = text.get(at..)?.iter().take(NEAR_BYTES).position(|byte| matches!(byte, b'"' | b'\\'));
        at += match near {
            Some(near) => near,
            None => NEAR_BYTES + memchr::memchr2(b'"', b'\\', text.get(at + NEAR_BYTES..)?)?,
        };
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

    #[test]
    fn values_are_cut_where_they_end() {
        let keys = JsonKeys::new(br#"{"t": "a\"}]", "o" :{"x":[1,"]"]}, "l":[{"y":"}"}], "n":1, "cut":{"#);
        assert_eq!(keys.value("t"), Some(Value::Text(br#""a\"}]""#)));
        assert_eq!(keys.value("o"), Some(Value::Object(br#"{"x":[1,"]"]}"#)));
        assert_eq!(keys.value("l"), Some(Value::List(br#"[{"y":"}"}]"#)));
        assert_eq!((keys.value("n"), keys.value("cut")), (Some(Value::Other), Some(Value::Other)));
        assert_eq!((keys.value("x"), keys.only_value()), (None, None));
        assert_eq!(JsonKeys::new(br#"{"only":{}}"#).only_value(), Some(Value::Object(b"{}")));
    }
}
