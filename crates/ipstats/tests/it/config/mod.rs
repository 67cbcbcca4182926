//! Configuration: what wins, what is refused, and that every problem is reported at once with its place.

mod access;
mod first_start;
mod issuers;
mod precedence;
mod problems;
mod sources;

use ipstats::config::{Config, Environment, Flags};
use std::fs;
use tempfile::TempDir;

const HASH: &str =
    "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$+r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo";
const CONTOSO: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ipstats.toml"), text).unwrap();
        Self { folder }
    }

    fn flags(&self) -> Flags {
        Flags { config: Some(self.folder.path().join("ipstats.toml")), ..Flags::default() }
    }

    /// The problems, without the folder in front of them.
    fn problems(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let error = Config::load_in(&self.flags(), &environment(variables)).unwrap_err();
        let prefix = format!("{}/", self.folder.path().display());
        error.problems.into_iter().map(|problem| problem.replace(&prefix, "")).collect()
    }
}
