use super::*;
use proptest::prelude::*;
use record_batch::{ABORT, COMMIT, GZIP, RecordBatch, ZSTD};

#[path = "../../../tests/it/kafka/record_batch.rs"]
mod record_batch;

/// What a consumer sees: the offset of each record with its value, or how many are malformed.
type Seen = Vec<(i64, Result<Option<Vec<u8>>, u64>)>;

fn read(bytes: &[u8], aborted: &[(i64, i64)], from: i64) -> Seen {
    let mut seen = Vec::new();
    for batch in Batches::read(bytes, aborted.to_vec()).complete {
        for message in batch.decode(from).iter() {
            seen.push(match message.content {
                MessageContent::Value(value) => (message.offset, Ok(value.map(<[u8]>::to_vec))),
                MessageContent::Malformed(count, _) => (message.offset, Err(count)),
            });
        }
    }
    seen
}

fn value(offset: i64, text: &str) -> (i64, Result<Option<Vec<u8>>, u64>) {
    (offset, Ok(Some(text.as_bytes().to_vec())))
}

#[test]
fn aborted_records_and_markers_are_hidden() {
    let batches = [
        RecordBatch::new(0).of_transaction(7).value(b"aborted").encode(),
        RecordBatch::new(1).of_transaction(8).value(b"committed").encode(),
        RecordBatch::new(2).value(b"plain").encode(),
        RecordBatch::control(3, 7, ABORT).encode(),
        RecordBatch::control(4, 8, COMMIT).encode(),
        RecordBatch::new(5).of_transaction(7).value(b"next transaction").encode(),
    ]
    .concat();
    let seen = read(&batches, &[(7, 0)], 0);
    assert_eq!(seen, [value(1, "committed"), value(2, "plain"), value(5, "next transaction")]);
    assert_eq!(RecordBatch::new(5).value(b"a").tombstone().offsets(), (5, 6));
    let ends: Vec<i64> = Batches::read(&batches, Vec::new()).complete.iter().map(|batch| batch.end).collect();
    assert_eq!(ends, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn odd_and_damaged_records_leave_neighbours_alone() {
    for codec in [0, GZIP, ZSTD] {
        let batch = RecordBatch::new(10).compressed(codec);
        let batch = batch.odd(b"odd").damaged().tombstone().value(b"last").encode();
        let expected = [value(10, "odd"), (11, Err(1)), (12, Ok(None)), value(13, "last")];
        assert_eq!(read(&batch, &[], 0), expected, "{codec}");
        // A broker sends whole batches: what was read is not read again.
        assert_eq!(read(&batch, &[], 12), expected[2..], "{codec}");
    }
}

#[test]
fn damaged_batch_is_malformed_at_its_offsets() {
    let mut first = RecordBatch::new(4).value(b"a").value(b"b").encode();
    *first.last_mut().unwrap() ^= 1;
    let both = [first.clone(), RecordBatch::new(6).value(b"c").encode()].concat();
    assert_eq!(read(&both, &[], 0), [(4, Err(2)), value(6, "c")]);
    assert_eq!(read(&both, &[], 5), [(5, Err(1)), value(6, "c")]);
    // An offset that damage made huge ends where the next batch starts.
    first[23] = 0x70;
    let both = [first, RecordBatch::new(6).value(b"c").encode()].concat();
    assert_eq!(Batches::read(&both, Vec::new()).complete[0].end, 6);
}

#[test]
fn cut_and_unknown_batches_are_named() {
    let whole = RecordBatch::new(0).value(b"a").encode();
    let cut = Batches::read(&whole[..whole.len() - 1], Vec::new());
    assert!(cut.is_cut && cut.complete.is_empty());
    let second_cut = [&whole[..], &whole[..20]].concat();
    assert!(!Batches::read(&second_cut, Vec::new()).is_cut);
    assert_eq!(
        read(&RecordBatch::new(0).compressed(7).value(b"a").value(b"b").encode(), &[], 0),
        [(0, Err(2))]
    );
    let mut old = whole;
    old[16] = 1;
    assert_eq!(read(&old, &[], 0), [(0, Err(1))]);
}

proptest! {
    /// Whatever is damaged: no panic, offsets ascend, and no batch covers less than an offset.
    #[test]
    fn damage_never_panics(flips in prop::collection::vec((0_usize..400, any::<u8>()), 0..6), end in 0_usize..400) {
        let mut bytes = [
            RecordBatch::new(0).compressed(GZIP).value(b"some value").odd(b"odd").tombstone().encode(),
            RecordBatch::control(3, 1, ABORT).encode(),
            RecordBatch::new(4).damaged().value(b"some value").encode(),
        ]
        .concat();
        for (place, byte) in flips {
            if let Some(slot) = bytes.get_mut(place) { *slot ^= byte; }
        }
        bytes.truncate(end);
        for batch in Batches::read(&bytes, vec![(1, 0)]).complete {
            prop_assert!(batch.end > batch.base || batch.base == i64::MAX);
            let messages = batch.decode(0);
            let offsets: Vec<i64> = messages.iter().map(|message| message.offset).collect();
            prop_assert!(offsets.iter().all(|offset| *offset >= 0));
        }
    }
}
