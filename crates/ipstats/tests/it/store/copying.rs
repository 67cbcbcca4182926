//! What one store knows, another one knows after a copy, whatever keeps them: every answer is that of the model.

use super::history::{self, History, Step};
use super::model::Model;
use super::{ask, histories, new_organization};
use ipstats::clock::Clock;
use ipstats::config::{Config, Environment, Flags};
use ipstats::store::{LeftOut, Store, StoreError};
use ipstats_model::{Batch, CanonicalIp, LookBack, Piece, Timestamp, Window};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::path::Path;

const HISTORIES: u32 = 40;

/// A store in a data folder.
pub(super) fn embedded(folder: &Path) -> Store {
    let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
    let config = Config::load_in(&flags, &Environment::default()).unwrap();
    Store::open(&config, &Clock::System).unwrap()
}

/// Copies all that `from` holds.
pub(super) fn copy(from: &Store, to: &Store, now: Timestamp) -> LeftOut {
    let checkpoints = from.all_checkpoints_here().unwrap();
    let add = |piece: Piece| {
        to.add_piece_here(&piece, now).unwrap();
        ControlFlow::Continue(())
    };
    let left_out = from.read_pieces_here(now, add).unwrap();
    to.add_checkpoints_here(&checkpoints).unwrap();
    left_out
}

/// Lets random histories happen in `from` and in `to`, copies along the way, and asks `to`.
pub(super) fn moves(from: &Store, to: &Store, cases: u32) {
    histories(cases, |history| check(from, to, &history));
    a_busy_ip_is_exact(from, to);
    checkpoints_are_taken_over_and_never_replaced(from, to);
    a_piece_ahead_of_the_clock_is_refused(to);
}

type Add = fn(&mut Piece, CanonicalIp, Timestamp);

/// It would make all that is older count as expired.
fn a_piece_ahead_of_the_clock_is_refused(to: &Store) {
    let (organization, now) = (new_organization(), "2018-06-01T12:00:00Z".parse::<Timestamp>().unwrap());
    let (ip, newest) = ("192.0.2.2".parse().unwrap(), to.newest_event_here().unwrap());
    let ahead = |seconds: i64, add: Add| {
        let mut piece = Piece::new(organization);
        assert!(piece.add_contact("pc", ip, now.plus_seconds(-86_400)));
        add(&mut piece, ip, now.plus_seconds(seconds));
        piece
    };
    let kinds: [Add; 3] = [
        |piece, ip, at| assert!(piece.add_contact("pc", ip, at)),
        |piece, ip, at| piece.moments.push((ip, at)),
        |piece, ip, at| piece.first_contacts.push((ip, at)),
    ];
    for add in kinds {
        let error = to.add_piece_here(&ahead(301, add), now).unwrap_err();
        assert!(matches!(error, StoreError::PieceAhead(_)), "{error}");
        assert!(error.to_string().contains("2018-06-01T12:05:01Z"), "{error}");
    }
    assert_eq!(to.first_ever_here(organization, ip).unwrap(), None, "nothing of them was taken");
    assert_eq!(to.newest_event_here().unwrap(), newest);
    to.add_piece_here(&ahead(300, kinds[0]), now).unwrap();
    assert_eq!(to.first_ever_here(organization, ip).unwrap(), Some(now.plus_seconds(-86_400)));
}

fn check(from: &Store, to: &Store, history: &History) -> Result<(), TestCaseError> {
    let organizations = [new_organization(), new_organization()];
    let (mut model, mut now) = (Model::default(), history.begin);
    for (number, step) in history.steps.iter().enumerate() {
        let Step::Record { organization, rows, later_seconds } = step else { continue };
        now = now.plus_seconds(*later_seconds);
        let (organization, mut batch) = (organizations[*organization], Batch::new());
        for row in rows {
            batch.push(row.device, row.ip, now.plus_seconds(-row.ago_seconds)).unwrap();
        }
        // Shippers are pointed at the other store while it is being filled, one after the other.
        let store = if number % 3 == 2 { to } else { from };
        prop_assert_eq!(
            store.record_here(organization, &batch, now).unwrap(),
            model.record(organization, &batch, now)
        );
        if number % 4 == 1 {
            copy(from, to, now);
        }
    }
    for _ in 0..=history.steps.len() % 2 {
        copy(from, to, now);
    }
    // Some time later, too: what has expired since is in no answer.
    for now in [now, now.plus_seconds(3 * 86_400 + 7)] {
        for organization in organizations {
            for ip in history::ips() {
                for hours in [1, 23, 24, 49, 400, 720] {
                    let window = Window::ending_at(now, LookBack::from_hours(hours).unwrap());
                    ask(to, &model, organization, ip, window)?;
                }
            }
        }
    }
    Ok(())
}

/// Few devices contact one IP all the time: most minutes are the last one of no device, and most days have many.
fn a_busy_ip_is_exact(from: &Store, to: &Store) {
    let (organization, mut model, mut batch) = (new_organization(), Model::default(), Batch::new());
    let (ip, now) = ("192.0.2.1".parse().unwrap(), "2018-06-01T12:00:31Z".parse::<Timestamp>().unwrap());
    for number in 0..900 {
        let at = now.plus_seconds(-(number * 2879 + number % 7));
        batch.push(&format!("device-{}", number * number % 5), ip, at).unwrap();
    }
    from.record_here(organization, &batch, now).unwrap();
    model.record(organization, &batch, now);
    copy(from, to, now);
    for hours in (1..=720).step_by(31) {
        let window = Window::ending_at(now, LookBack::from_hours(hours).unwrap());
        ask(to, &model, organization, ip, window).unwrap();
    }
}

fn checkpoints_are_taken_over_and_never_replaced(from: &Store, to: &Store) {
    let (organization, now) = (new_organization(), "2018-06-01T12:00:00Z".parse().unwrap());
    from.set_checkpoints_here(organization, &[("read here", Some(b"7")), ("read by both", Some(b"1"))])
        .unwrap();
    to.set_checkpoints_here(organization, &[("read by both", Some(b"2"))]).unwrap();
    copy(from, to, now);
    let mut known = to.checkpoints_here(organization).unwrap();
    known.sort();
    let expected = [("read by both", b"2"), ("read here", b"7")];
    assert_eq!(known, expected.map(|(name, position)| (name.to_owned(), position.to_vec())));
}

#[test]
fn a_folder_into_a_folder() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [from, to] = folders.each_ref().map(|folder| embedded(folder.path()));
    moves(&from, &to, HISTORIES);
    assert_eq!(copy(&to, &from, Timestamp::LATEST), LeftOut::default());
}

/// What a clock that was wrong let in goes nowhere else, and what is right does.
#[test]
fn contacts_ahead_of_the_clock_are_left_out_and_counted() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [from, to] = folders.each_ref().map(|folder| embedded(folder.path()));
    let (organization, now) = (new_organization(), "2018-06-01T12:00:00Z".parse::<Timestamp>().unwrap());
    let [right, wrong] = ["192.0.2.3", "192.0.2.4"].map(|ip| ip.parse().unwrap());
    for (ip, at) in [(right, now), (wrong, now.plus_seconds(9 * 86_400))] {
        let mut batch = Batch::new();
        batch.push("pc", ip, at).unwrap();
        from.record_here(organization, &batch, at).unwrap();
    }
    assert_eq!(copy(&from, &to, now), LeftOut { too_far_ahead: 1, without_device: 0 });
    let first_ever = |ip| to.first_ever_here(organization, ip).unwrap();
    assert_eq!((first_ever(right), first_ever(wrong)), (Some(now), None));
    assert_eq!(to.newest_event_here().unwrap(), Some(now));
}

/// A reader that has enough stops the reading.
#[test]
fn reading_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = embedded(folder.path());
    let now: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
    for _ in 0..3 {
        let mut batch = Batch::new();
        batch.push("pc", "198.51.100.7".parse().unwrap(), now).unwrap();
        store.record_here(new_organization(), &batch, now).unwrap();
    }
    let mut pieces = 0;
    let count = |piece: Piece| {
        assert_eq!(piece.len(), 1);
        pieces += 1;
        ControlFlow::Break(())
    };
    store.read_pieces_here(now, count).unwrap();
    assert_eq!(pieces, 1);
}
