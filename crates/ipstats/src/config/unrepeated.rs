//! What a message about a setting does not repeat: it may be read by others than those who may read the setting.

/// What stands where a user and a password were.
const HIDDEN: &str = "(hidden)";

/// `message` without what stands before the `@` of the URLs in it. A URL ends with the quotation mark behind it: a password
/// may hold whatever else it likes, a setting of its own (`username`, `password_file`) being the place for it.
pub(super) fn without_user_info(message: &str) -> String {
    let mut said = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, url)) = rest.split_once("://") {
        said.extend([before, "://"]);
        let (url, behind) = url.split_at(end_of_quoted(url));
        match url.rsplit_once('@') {
            Some((_, host)) => said.extend([HIDDEN, "@", host]),
            None => said.push_str(url),
        }
        rest = behind;
    }
    said.push_str(rest);
    said
}

/// Where a text ends that stands in quotation marks, in which others are escaped.
fn end_of_quoted(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::without_user_info;

    #[test]
    fn users_and_passwords_are_left_out() {
        for (message, said) in [
            ("nothing to hide: a@b", "nothing to hide: a@b"),
            (
                r#""https://u:p@h/x" is no URL such as "https://h""#,
                r#""https://(hidden)@h/x" is no URL such as "https://h""#,
            ),
            (r#""a" and "http://:p@s/?#s@h:1""#, r#""a" and "http://(hidden)@h:1""#),
            (r#""https://u:a\"b\\@h" is no URL"#, r#""https://(hidden)@h" is no URL"#),
            (r#""https://a@h"; "redis://b@i""#, r#""https://(hidden)@h"; "redis://(hidden)@i""#),
        ] {
            assert_eq!(without_user_info(message), said);
        }
    }
}
