//! The thread that writes the lines.

use super::output::Output;
use super::queue::{Next, Queue};
use std::io;
use std::time::Duration;

/// Most bytes that are written at once, but for a line that goes beyond.
const CHUNK_BYTES: usize = 64 * 1024;

/// Pause before what failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// One failure in so many is logged: the first, and then about one a minute.
const FAILURES_LOGGED: u64 = 60;

/// Text that is being written, and how many lines it has.
#[derive(Default)]
struct Chunk {
    text: Vec<u8>,
    lines: usize,
}

/// Writes the entries of `queue` to `output` until the queue is closed.
pub(super) fn run(queue: &Queue, mut output: Output) {
    let (mut batch, mut chunk) = (Vec::new(), Chunk::default());
    while let Next::Entries = queue.take(&mut batch) {
        for entry in batch.drain(..) {
            entry.write(&mut chunk.text);
            chunk.lines += 1;
            if chunk.text.len() >= CHUNK_BYTES {
                write(queue, &mut output, &mut chunk);
            }
        }
        write(queue, &mut output, &mut chunk);
    }
}

/// Writes the chunk, however long it takes. Only a log that is being closed gives up.
fn write(queue: &Queue, output: &mut Output, chunk: &mut Chunk) {
    let mut written = 0;
    while let Some(rest) = chunk.text.get(written..).filter(|rest| !rest.is_empty()) {
        if let Some(next) = queue.next_output() {
            *output = next;
            written = line_start(&chunk.text, written);
            continue;
        }
        let result = match output.write(rest) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        };
        match result {
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if queue.count_failure().is_multiple_of(FAILURES_LOGGED) {
                    tracing::error!(%error, "the audit log cannot be written; it is tried again every second");
                }
                if queue.pause(RETRY_PAUSE) {
                    tracing::error!(
                        lines = chunk.lines,
                        "lines of the audit log are lost: they could not be written"
                    );
                    queue.count_lost(chunk.lines);
                    *chunk = Chunk::default();
                    return;
                }
            }
        }
    }
    queue.count_written(chunk.lines);
    chunk.text.clear();
    chunk.lines = 0;
}

/// Where the line begins that `position` lies in.
fn line_start(text: &[u8], position: usize) -> usize {
    let before = text.get(..position).unwrap_or(text);
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::*;
    use crate::operation::Operation;
    use parking_lot::Mutex;
    use std::io::Write;
    use std::sync::Arc;
    use std::thread;

    /// Takes `room` bytes, then fails until it gets more.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn with_room(room: usize) -> Self {
            Self(Arc::new(Mutex::new((Vec::new(), room))))
        }

        fn output(&self) -> Output {
            Output::Test(Box::new(self.clone()))
        }

        /// The microseconds that tell the lines apart; the last line may be torn.
        fn lines(&self) -> Vec<u64> {
            let text = String::from_utf8(self.0.lock().0.clone()).unwrap();
            let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            lines
                .map(|line| {
                    serde_json::from_str::<serde_json::Value>(line).unwrap()["micros"].as_u64().unwrap()
                })
                .collect()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock();
            let fits = bytes.len().min(disk.1);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.0.extend_from_slice(&bytes[..fits]);
            disk.1 -= fits;
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entry(micros: u64) -> Entry {
        Entry {
            unix_millis: 0,
            operation: Operation::Token,
            actor: None,
            client: None,
            asked: None,
            status: Some(200),
            code: None,
            target: None,
            micros,
        }
    }

    fn start(places: usize, disk: &Disk) -> Arc<Queue> {
        let (queue, output) = (Arc::new(Queue::with_places(places)), disk.output());
        let writing = Arc::clone(&queue);
        thread::spawn(move || run(&writing, output));
        queue
    }

    fn wait_for(what: impl Fn() -> bool) {
        for _ in 0..1000 {
            if what() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not happen within 10 s");
    }

    #[test]
    fn every_line_of_many_threads_is_written_once() {
        let disk = Disk::with_room(usize::MAX);
        let queue = start(100_000, &disk);
        thread::scope(|scope| {
            for number in 0..4 {
                let queue = &queue;
                scope.spawn(move || {
                    (0..5000)
                        .for_each(|line| Queue::place(queue).unwrap().record(entry(number * 5000 + line)));
                });
            }
        });
        assert!(queue.close(Duration::from_secs(10)));
        let mut lines = disk.lines();
        lines.sort_unstable();
        assert_eq!(lines, (0..20_000).collect::<Vec<_>>());
        let figures = queue.figures();
        assert_eq!((figures.written, figures.waiting, figures.lost), (20_000, 0, 0));
    }

    #[test]
    fn a_full_disk_takes_the_places_and_gives_them_back_when_it_has_room() {
        let disk = Disk::with_room(300);
        let queue = start(10, &disk);
        (0..10).for_each(|line| Queue::place(&queue).unwrap().record(entry(line)));
        wait_for(|| queue.figures().failures > 0);
        let full = Queue::place(&queue).err().unwrap();
        assert_eq!(full.to_string(), "the audit log cannot be written: 10 lines wait already");
        disk.0.lock().1 = usize::MAX;
        wait_for(|| queue.figures().written == 10);
        assert_eq!(disk.lines(), (0..10).collect::<Vec<_>>(), "the torn line was ended, and none came twice");
        drop(Queue::place(&queue).unwrap());
        assert_eq!(queue.figures().waiting, 0);
    }

    #[test]
    fn another_file_gets_the_whole_line_that_was_begun_in_the_full_one() {
        let (full, empty) = (Disk::with_room(300), Disk::with_room(usize::MAX));
        let queue = start(10, &full);
        (0..10).for_each(|line| Queue::place(&queue).unwrap().record(entry(line)));
        wait_for(|| queue.figures().failures > 0);
        queue.go_on_in(empty.output());
        assert!(queue.close(Duration::from_secs(10)));
        let lines = [full.lines(), empty.lines()].concat();
        assert_eq!(lines, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_that_is_closed_waits_for_requests_under_way() {
        let disk = Disk::with_room(usize::MAX);
        let queue = start(10, &disk);
        let under_way = Queue::place(&queue).unwrap();
        assert!(!queue.close(Duration::ZERO));
        thread::sleep(Duration::from_millis(100));
        under_way.record(entry(7));
        assert!(queue.close(Duration::from_secs(10)));
        assert_eq!((disk.lines(), queue.figures().lost), (vec![7], 0));
    }

    #[test]
    fn closing_gives_up_what_cannot_be_written() {
        let queue = start(10, &Disk::with_room(0));
        Queue::place(&queue).unwrap().record(entry(1));
        wait_for(|| queue.figures().failures > 0);
        assert!(queue.close(Duration::from_secs(10)));
        assert_eq!((queue.figures().lost, queue.figures().waiting), (1, 0));
    }
}
