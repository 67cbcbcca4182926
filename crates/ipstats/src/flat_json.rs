//! Objects of JSON that are written field by field: answers, and lines of the audit log. There are many of them, and
//! little in them needs escaping; a serializer that has to expect anything takes several times as long.

/// A key as it stands in front of its value: `key!("ipAddress")`.
#[derive(Debug, Clone, Copy)]
pub struct Key(&'static str);

impl Key {
    /// Made by `key!`: a comma, the name in quotes, a colon.
    pub const fn prepared(text: &'static str) -> Self {
        Self(text)
    }
}

/// The key with a name, which is written as it is.
macro_rules! key {
    ($name:literal) => {
        $crate::flat_json::Key::prepared(concat!(",\"", $name, "\":"))
    };
}
pub(crate) use key;

/// An object that is being written, behind what is in `text` already.
pub struct FlatObject<'a> {
    text: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> FlatObject<'a> {
    /// An object without fields.
    pub fn begin(text: &'a mut Vec<u8>) -> Self {
        Self { start: text.len(), text }
    }

    /// A field that is a text, or null.
    #[inline]
    pub fn text(&mut self, key: Key, value: Option<&str>) {
        match value {
            Some(value) if !is_plain(value) => {
                self.key(key);
                self.value(&value);
            }
            value => self.plain(key, value),
        }
    }

    /// A field that is a text in which nothing is ever escaped, such as an address, an id or a time; or null.
    #[inline]
    pub fn plain(&mut self, key: Key, value: Option<&str>) {
        debug_assert!(value.is_none_or(is_plain), "{value:?}");
        let Some(value) = value else { return self.null(key) };
        self.text.reserve(key.0.len() + value.len() + QUOTES_BYTES);
        self.key(key);
        self.text.push(b'"');
        self.text.extend_from_slice(value.as_bytes());
        self.text.push(b'"');
    }

    /// A field that is a text, or not there.
    #[inline]
    pub fn text_if_any(&mut self, key: Key, value: Option<&str>) {
        if value.is_some() {
            self.text(key, value);
        }
    }

    /// A field that is a number, or null.
    #[inline]
    pub fn number(&mut self, key: Key, value: Option<u64>) {
        self.key(key);
        self.value(&value);
    }

    /// The object is complete.
    pub fn end(self) {
        match self.text.get_mut(self.start) {
            // In front of the first key there is a brace, and no comma.
            Some(comma) => *comma = b'{',
            None => self.text.push(b'{'),
        }
        self.text.push(b'}');
    }

    fn null(&mut self, key: Key) {
        self.key(key);
        self.text.extend_from_slice(b"null");
    }

    #[inline]
    fn key(&mut self, key: Key) {
        self.text.extend_from_slice(key.0.as_bytes());
    }

    fn value(&mut self, value: &impl serde::Serialize) {
        // Numbers and texts always serialize, and a vector always takes them.
        let written = serde_json::to_writer(&mut *self.text, value);
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

/// Of the two quotes around a text.
const QUOTES_BYTES: usize = 2;

/// Whether a text stands in JSON as it is (RFC 8259, section 7).
fn is_plain(text: &str) -> bool {
    // Without a way out early the loop takes many bytes at a time.
    let is_escaped = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
    !text.bytes().fold(false, |any, byte| any | is_escaped(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn what_is_written_is_read(first in any::<Option<String>>(), second in any::<Option<u64>>(), third in ".*") {
            let mut text = Vec::new();
            let mut object = FlatObject::begin(&mut text);
            object.text(key!("first"), first.as_deref());
            object.number(key!("second"), second);
            object.text(key!("@third"), Some(&third));
            object.end();
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read, json!({"first": first, "second": second, "@third": third}));
        }
    }

    #[test]
    fn an_object_without_fields_stands_behind_what_there_is() {
        let mut text = b"[".to_vec();
        FlatObject::begin(&mut text).end();
        assert_eq!(text, b"[{}");
    }
}
