//! Files that only their owner may read, made once: keys and secrets in the data folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder (and those above it) that only its owner may enter, where it is missing. All of them survive a power
/// failure.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    missing.into_iter().try_for_each(sync_parent)
}

/// Makes `file` with `content`, readable by its owner only, and returns what it then contains: when two processes make
/// it at once, one of them wins and both use what the winner wrote. The file is never seen half written, and what
/// is returned survives a power failure.
pub fn create_once(file: &Path, content: &str) -> io::Result<String> {
    let draft = file.with_extension(format!("draft-{}", std::process::id()));
    let result = write_draft(&draft, content).and_then(|()| match fs::hard_link(&draft, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(file).and_then(|()| fs::read_to_string(file)),
    });
    // What is left of the draft is of no use to anyone, whatever happened.
    let _ = fs::remove_file(&draft);
    result
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn write_draft(draft: &Path, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_writer_wins_and_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        create_folder(&below).unwrap();
        let file = below.join("key");
        assert_eq!(create_once(&file, "one").unwrap(), "one");
        assert_eq!(create_once(&file, "two").unwrap(), "one");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&below).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 1, "drafts are removed");
    }
}
