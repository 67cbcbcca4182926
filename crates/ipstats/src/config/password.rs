//! Passwords of servers that the service asks: in a file, or in a variable of the environment.

use crate::secret::Secret;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a password is. Never shown.
#[derive(Clone)]
pub struct Password(Kept);

#[derive(Clone)]
enum Kept {
    File(PathBuf),
    Variable(Secret),
}

impl Password {
    /// The password in `variable`, else the one in `file`; nothing where neither is said.
    pub(super) fn find(variable: Option<&str>, file: Option<PathBuf>) -> Option<Self> {
        let variable = variable.map(|text| Kept::Variable(Secret::from(text.to_owned())));
        variable.or_else(|| file.map(Kept::File)).map(Self)
    }

    /// The password. A file is read each time, so that a new password is taken up.
    pub fn read(&self) -> io::Result<Secret> {
        match &self.0 {
            Kept::Variable(secret) => Ok(secret.clone()),
            Kept::File(file) => {
                let text = fs::read_to_string(file)
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
                Ok(Secret::from(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }

    /// The file that holds it, where it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kept::File(file) => Some(file),
            Kept::Variable(_) => None,
        }
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::File(one), Kept::File(other)) => one == other,
            (Kept::Variable(one), Kept::Variable(other)) => one.reveal() == other.reveal(),
            _ => false,
        }
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::File(file) => file.fmt(f),
            Kept::Variable(_) => f.write_str("(hidden)"),
        }
    }
}
