//! What a start without configuration makes.

use ipstats::config::{Config, Environment, Flags};
use std::fs;
use std::path::Path;

#[test]
fn the_first_start_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut first = load(&data_dir);
    let made = first.establish().unwrap().expect("nothing was there");
    assert!(made.to_string().contains(made.client_secret.reveal()));
    assert!(first.establish().unwrap().is_none());

    let mut again = load(&data_dir);
    assert_eq!(again.organization(None), Ok(made.organization));
    assert_eq!(again.applications[0].client_id, made.client_id);
    assert!(again.applications[0].secret_hash.as_ref().unwrap().verify(&made.client_secret));
    assert!(again.establish().unwrap().is_none());
    assert!(fs::read_to_string(made.file).unwrap().contains(made.client_secret.reveal()));
}

#[test]
fn a_first_start_file_without_its_tables_is_named_with_the_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first-start.toml");
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    for text in ["", "# nothing\n"] {
        fs::write(&file, text).unwrap();
        let error = Config::load_in(&flags, &Environment::default()).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(error.contains("restore its tables, or delete it"), "{error}");
    }
    fs::remove_file(&file).unwrap();
    // As unreadable as it gets, also for root.
    fs::create_dir(&file).unwrap();
    let error = Config::load_in(&flags, &Environment::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("data folder {}: ", folder.path().display())), "{error}");
    assert!(error.contains("permissions") && error.contains("--data-dir"), "{error}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = load(&file.join("data")).establish().unwrap_err().to_string();
    assert!(error.contains("file/data") && error.contains("--data-dir"), "{error}");
}

fn load(data_dir: &Path) -> Config {
    let flags = Flags { data_dir: Some(data_dir.to_owned()), ..Flags::default() };
    Config::load_in(&flags, &Environment::default()).unwrap()
}
