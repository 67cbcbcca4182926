//! The data folder: its format version, the lock against a second process, and the creation of its store.
//!
//! Architecture Invariant: `store` appears whole. It is made as `store.new` and renamed, and only an opened `store` takes
//! records. So `store.new` never holds an acknowledged record, and removing it loses none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Version of everything in the folder. A newer program may read older ones; never the other way round.
const FORMAT_VERSION: u32 = 1;

const LOCK_FILE: &str = "LOCK";
const VERSION_FILE: &str = "format-version";
const STORE_FOLDER: &str = "store";
const NEW_STORE_FOLDER: &str = "store.new";

/// An open data folder. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Why the folder cannot be used. Each message names the folder and the way out.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder, or a file in it, cannot be created, read or written.
    #[error("data folder {}: {action}: {reason} (check its owner, its permissions and the space left)", folder.display())]
    Io {
        /// The data folder.
        folder: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        reason: io::Error,
    },
    /// Another process has it open.
    #[error(
        "data folder {} is in use by {holder}: stop it first, or choose another folder with --data-dir",
        folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds the lock, as far as known.
        holder: String,
    },
    /// It was written by another version of the program.
    #[error(
        "data folder {} has format version {found}, and this program reads version {FORMAT_VERSION}: use the program that \
         wrote it, or another folder with --data-dir",
        folder.display()
    )]
    Version {
        /// The data folder.
        folder: PathBuf,
        /// The content of its version file.
        found: String,
    },
    /// There is a store without the file that names its version.
    #[error(
        "data folder {} has a store but no file `format-version`: it is not a complete ipstats data folder",
        folder.display()
    )]
    NoVersion {
        /// The data folder.
        folder: PathBuf,
    },
}

impl DataFolder {
    /// Opens or creates the folder, takes its lock and checks its version.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |action| move |reason| FolderError::Io { folder: path.to_owned(), action, reason };
        create_folders(path).map_err(failed("cannot create it"))?;
        let lock = take_lock(path, &failed)?;
        check_version(path, &failed)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database lies.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join(STORE_FOLDER)
    }

    /// Makes the store with `create` where there is none. A killed creation starts again from nothing.
    pub(crate) fn create_store<E: From<FolderError>>(
        &self,
        create: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |action| move |reason| FolderError::Io { folder: self.path.clone(), action, reason };
        let new_store = self.path.join(NEW_STORE_FOLDER);
        remove_folder(&new_store).map_err(failed("cannot remove `store.new`, left by a killed creation"))?;
        if fs::exists(self.store()).map_err(failed("cannot read it"))? {
            return Ok(());
        }
        create(&new_store)?;
        let publish = || {
            sync(&new_store)?;
            fs::rename(&new_store, self.store())?;
            sync(&self.path)
        };
        Ok(publish().map_err(failed("cannot rename `store.new` to `store`"))?)
    }

    /// Takes a store without records out of the way, so that [`create_store`](Self::create_store) makes it again.
    pub(crate) fn retract_store(&self) -> Result<(), FolderError> {
        let retract = || {
            remove_folder(&self.path.join(NEW_STORE_FOLDER))?;
            fs::rename(self.store(), self.path.join(NEW_STORE_FOLDER))?;
            sync(&self.path)
        };
        let action = "cannot rename the unfinished `store` to `store.new`";
        retract().map_err(|reason| FolderError::Io { folder: self.path.clone(), action, reason })
    }
}

/// Creates the folder and those above it. All of them survive a power failure.
fn create_folders(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.is_dir()).collect();
    fs::create_dir_all(path)?;
    for folder in missing.iter().filter_map(|folder| folder.parent()) {
        sync(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn take_lock<F>(folder: &Path, failed: &dyn Fn(&'static str) -> F) -> Result<File, FolderError>
where
    F: Fn(io::Error) -> FolderError,
{
    let path = folder.join(LOCK_FILE);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed("cannot open its lock file"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            let pid = holder.trim();
            let holder = if pid.is_empty() { "another process".to_owned() } else { format!("process {pid}") };
            return Err(FolderError::InUse { folder: folder.to_owned(), holder });
        }
        Err(fs::TryLockError::Error(source)) => return Err(failed("cannot lock it")(source)),
    }
    let write_pid = |lock: &mut File| {
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())
    };
    write_pid(&mut lock).map_err(failed("cannot write its lock file"))?;
    Ok(lock)
}

fn check_version<F>(folder: &Path, failed: &dyn Fn(&'static str) -> F) -> Result<(), FolderError>
where
    F: Fn(io::Error) -> FolderError,
{
    let path = folder.join(VERSION_FILE);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim() == FORMAT_VERSION.to_string() => Ok(()),
        Ok(text) => Err(FolderError::Version {
            folder: folder.to_owned(),
            found: text.trim().chars().take(20).collect(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if folder.join(STORE_FOLDER).exists() {
                return Err(FolderError::NoVersion { folder: folder.to_owned() });
            }
            write_version(folder, &path).map_err(failed("cannot write its format version"))
        }
        Err(error) => Err(failed("cannot read its format version")(error)),
    }
}

/// Durable before anything else is written, and never half there.
fn write_version(folder: &Path, path: &Path) -> io::Result<()> {
    let whole = path.with_extension("new");
    let mut file = File::create(&whole)?;
    writeln!(file, "{FORMAT_VERSION}")?;
    file.sync_all()?;
    fs::rename(whole, path)?;
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_and_one_version() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        let held = DataFolder::open(&path).unwrap();
        let error = DataFolder::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(held);
        drop(DataFolder::open(&path).unwrap());
        fs::write(path.join(VERSION_FILE), "2\n").unwrap();
        let error = DataFolder::open(&path).unwrap_err().to_string();
        assert!(error.contains("format version 2, and this program reads version 1"), "{error}");
    }

    #[test]
    fn a_store_without_a_version_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(STORE_FOLDER)).unwrap();
        assert!(matches!(DataFolder::open(scratch.path()), Err(FolderError::NoVersion { .. })));
    }

    #[test]
    fn killed_creation_starts_again() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(scratch.path()).unwrap();
        let create = |file: &'static str| {
            move |store: &Path| {
                fs::create_dir(store).unwrap();
                fs::write(store.join(file), "").unwrap();
                if file == "killed" {
                    Err(FolderError::NoVersion { folder: store.to_owned() })
                } else {
                    Ok(())
                }
            }
        };
        folder.create_store(create("killed")).unwrap_err();
        assert!(!folder.store().exists());
        folder.create_store(create("whole")).unwrap();
        folder.create_store(create("killed")).unwrap();
        let files: Vec<_> =
            fs::read_dir(folder.store()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["whole"]);
        folder.retract_store().unwrap();
        folder.create_store(create("again")).unwrap();
        assert!(folder.store().join("again").exists() && !scratch.path().join(NEW_STORE_FOLDER).exists());
    }

    #[test]
    fn a_file_in_its_place_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, "").unwrap();
        let error = DataFolder::open(&path).unwrap_err().to_string();
        assert!(error.contains("cannot create it"), "{error}");
    }
}
