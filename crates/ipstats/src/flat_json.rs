//! Objects of JSON that are written field by field: answers, and lines of the audit log. There are many of them, and
//! little in them needs escaping; a serializer that has to expect anything takes several times as long.

/// An object that is being written, behind what is in `text` already. Keys are written as they are.
pub struct FlatObject<'a> {
    text: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> FlatObject<'a> {
    /// An object without fields.
    pub fn begin(text: &'a mut Vec<u8>) -> Self {
        text.push(b'{');
        Self { text, is_empty: true }
    }

    /// A field that is a text, or null.
    pub fn text(&mut self, key: &str, value: Option<&str>) {
        self.key(key);
        match value {
            Some(value) if is_plain(value) => {
                self.text.push(b'"');
                self.text.extend_from_slice(value.as_bytes());
                self.text.push(b'"');
            }
            value => self.value(&value),
        }
    }

    /// A field that is a text, or not there.
    pub fn text_if_any(&mut self, key: &str, value: Option<&str>) {
        if value.is_some() {
            self.text(key, value);
        }
    }

    /// A field that is a number, or null.
    pub fn number(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        self.value(&value);
    }

    /// The object is complete.
    pub fn end(self) {
        self.text.push(b'}');
    }

    fn key(&mut self, key: &str) {
        self.text.extend_from_slice(if self.is_empty { b"\"" } else { b",\"" });
        self.is_empty = false;
        self.text.extend_from_slice(key.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: &impl serde::Serialize) {
        // Numbers and texts always serialize, and a vector always takes them.
        let written = serde_json::to_writer(&mut *self.text, value);
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

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
            object.text("first", first.as_deref());
            object.number("second", second);
            object.text("@third", Some(&third));
            object.end();
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read, json!({"first": first, "second": second, "@third": third}));
        }
    }
}
