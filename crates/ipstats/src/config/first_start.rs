//! Starting without a configuration: one organization and one application, made once and kept in the data folder.
//!
//! The file has the form of a configuration file, so what is in it can be moved there; it is read only as long as the
//! configuration declares no organization. The client secret stands in it as a comment, for whoever may read the
//! file (its owner); only its hash is ever read back.

use super::access::{Application, ClientId, OrganizationEntry};
use super::environment::Environment;
use super::reader::Reader;
use super::{ConfigError, access};
use crate::private_file;
use crate::secret::{Secret, SecretError};
use ipstats_model::Organization;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FILE_NAME: &str = "first-start.toml";
const NAME: &str = "default";

/// What was made at the first start, to be shown once.
#[derive(Debug)]
pub struct FirstStart {
    /// The organization.
    pub organization: Organization,
    /// The application.
    pub client_id: ClientId,
    /// The secret of the application.
    pub client_secret: Secret,
    /// The file that keeps it all.
    pub file: PathBuf,
}

/// The first start could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The data folder cannot be written.
    #[error("data folder {}: {source} (check its owner and permissions, or choose another with --data-dir)", file.display())]
    Folder {
        /// The file or folder.
        file: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// No secret could be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The file that another process made at the same time cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

type Access = (Vec<OrganizationEntry>, Vec<Application>);

/// What an earlier first start made in `data_dir`.
pub(super) fn load(data_dir: &Path) -> Result<Option<Access>, ConfigError> {
    let file = data_dir.join(FILE_NAME);
    match fs::read_to_string(&file) {
        Ok(text) => read(&file, &text).map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(ConfigError {
            problems: vec![format!(
                "data folder {}: {FILE_NAME} cannot be read: {error} (check the owner and the permissions of the folder \
                 and the file, or choose another folder with --data-dir)",
                data_dir.display()
            )],
        }),
    }
}

/// Makes the organization and the application of a first start, unless another process was first.
pub(super) fn establish(data_dir: &Path) -> Result<(Option<FirstStart>, Access), FirstStartError> {
    let file = data_dir.join(FILE_NAME);
    let secret = Secret::generate()?;
    let ids = (Uuid::new_v4(), Uuid::new_v4());
    let content = content(&secret, ids)?;
    let in_folder = |source| FirstStartError::Folder { file: data_dir.to_owned(), source };
    private_file::create_folder(data_dir).map_err(in_folder)?;
    let kept = private_file::create_once(&file, &content).map_err(in_folder)?;
    let access = read(&file, &kept)?;
    let made = (kept == content).then(|| FirstStart {
        organization: Organization::from_bytes(ids.0.into_bytes()),
        client_id: ClientId::from_bytes(ids.1.into_bytes()),
        client_secret: secret,
        file,
    });
    Ok((made, access))
}

fn content(secret: &Secret, (organization, client_id): (Uuid, Uuid)) -> Result<String, SecretError> {
    let (hash, secret) = (secret.hash()?, secret.reveal());
    Ok(format!(
        "\
# Made by ipstats at its first start, because its configuration declares no organization.
# It is read only as long as that is so; these tables can be moved into a configuration file.

[[organizations]]
id = \"{organization}\"
name = \"{NAME}\"

[[applications]]
name = \"{NAME}\"
client_id = \"{client_id}\"
# client_secret = \"{secret}\"
secret_hash = \"{}\"
organization = \"{NAME}\"
permissions = [\"Ip.Read.All\"]
",
        hash.as_str()
    ))
}

fn read(file: &Path, text: &str) -> Result<Access, ConfigError> {
    let environment = Environment::default();
    let reader = Reader::new(file, text, &environment);
    let mut root = reader.root();
    let access = access::read(&mut root);
    root.finish();
    match reader.problems() {
        problems if problems.is_empty() && access.0.is_empty() => Err(ConfigError {
            problems: vec![format!(
                "{}: it declares no [[organizations]]: restore its tables, or delete it, and a new one is made \
                 (with another tenant id, so that data recorded before is not found under it)",
                file.display()
            )],
        }),
        problems if problems.is_empty() => Ok(access),
        problems => Err(ConfigError { problems }),
    }
}

impl FirstStart {
    /// What was made and where its secret is, for places that are kept.
    pub fn without_secret(&self) -> String {
        format!(
            "no organization is configured, so one was made ({}), with one application ({}); its client secret is in {}",
            self.organization,
            self.client_id,
            self.file.display()
        )
    }
}

impl fmt::Display for FirstStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "No organization is configured, so one was made, with one application that may ask for its data:\n  \
             tenant id      {}\n  client id      {}\n  client secret  {}\nThis is shown once and kept in {}.",
            self.organization,
            self.client_id,
            self.client_secret.reveal(),
            self.file.display()
        )
    }
}
