//! The environment of the process, read once and passed on as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the names of our variables start with.
const PREFIX: &str = "IPSTATS_";

/// Variables of the system that say where this user keeps settings.
const HOME: &str = "HOME";
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";

/// The variables whose names start with `IPSTATS_`, and where this user keeps settings.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. What is not Unicode is no setting of ours.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX) || name == HOME || name == XDG_CONFIG_HOME)
            .collect()
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The names of all of ours that are set, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.0.iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        set.map(|(name, _)| name.as_str())
    }

    /// The folder below which programs of this user keep their settings (XDG Base Directory Specification).
    pub fn settings_folder(&self) -> Option<PathBuf> {
        let xdg = self.get(XDG_CONFIG_HOME).map(PathBuf::from).filter(|folder| folder.is_absolute());
        xdg.or_else(|| self.get(HOME).map(|home| PathBuf::from(home).join(".config")))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}
