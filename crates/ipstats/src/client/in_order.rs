//! Many questions at once, their answers in the order of the questions, whatever their number in bounded memory.

use parking_lot::Mutex;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Questions under way or answered and not yet taken, for each worker: while one answer is slow, others go on.
const AHEAD_OF_EACH_WORKER: usize = 8;

/// An answer that never came, because asking ended in a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer was lost to a defect of this program: please report what stands above")]
pub struct Lost;

/// Asks `ask` about every one of `questions` on `workers` threads. Answers come in the order of the questions, each as soon
/// as it and all before it are there.
///
/// When the iterator is dropped, nothing more is asked; a thread that waits for a question ends with the process.
pub fn in_order<Q, A>(
    questions: impl Iterator<Item = Q> + Send + 'static,
    workers: NonZero<usize>,
    ask: impl Fn(Q) -> A + Send + Sync + 'static,
) -> io::Result<impl Iterator<Item = Result<A, Lost>>>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    let ask = Arc::new(ask);
    let (to_workers, work) = sync_channel::<(Q, SyncSender<A>)>(workers.get());
    let (to_reader, answers) =
        sync_channel::<Receiver<A>>(workers.get().saturating_mul(AHEAD_OF_EACH_WORKER));
    let work = Arc::new(Mutex::new(work));
    for _ in 0..workers.get() {
        let (work, ask) = (Arc::clone(&work), Arc::clone(&ask));
        thread::Builder::new().name("ask".to_owned()).spawn(move || {
            while let Some((question, answer)) = next(&work) {
                // Nobody may be waiting for it any more.
                let _ = answer.send(ask(question));
            }
        })?;
    }
    thread::Builder::new().name("questions".to_owned()).spawn(move || {
        for question in questions {
            let (answer, place) = sync_channel(1);
            if to_reader.send(place).is_err() || to_workers.send((question, answer)).is_err() {
                return;
            }
        }
    })?;
    // A worker that panicked leaves its place empty.
    Ok(answers.into_iter().map(|place| place.recv().map_err(|_| Lost)))
}

fn next<T>(work: &Mutex<Receiver<T>>) -> Option<T> {
    work.lock().recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn workers(count: usize) -> NonZero<usize> {
        NonZero::new(count).unwrap()
    }

    #[test]
    fn answers_come_in_the_order_of_questions() {
        let slow_when_even = |number: u64| {
            thread::sleep(Duration::from_millis(if number.is_multiple_of(2) { 5 } else { 0 }));
            number * 10
        };
        let answers: Vec<_> = in_order(0..100, workers(7), slow_when_even).unwrap().collect();
        assert_eq!(answers, (0..100).map(|number| Ok(number * 10)).collect::<Vec<_>>());
    }

    #[test]
    fn questions_are_taken_only_as_answers_are() {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let endless = (0..).inspect(move |_: &u64| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let mut answers = in_order(endless, workers(2), |number| number).unwrap();
        assert_eq!(answers.by_ref().take(1000).count(), 1000);
        thread::sleep(Duration::from_millis(50));
        let ahead = taken.load(Ordering::Relaxed) - 1000;
        assert!((1..=2 * (AHEAD_OF_EACH_WORKER + 4)).contains(&ahead), "{ahead} questions ahead");
    }

    #[test]
    fn an_answer_that_is_lost_is_missed() {
        let ask = |number: u64| {
            assert_ne!(number, 2, "a defect");
            number
        };
        let answers: Vec<_> = in_order(0..4, workers(2), ask).unwrap().collect();
        assert_eq!(answers, [Ok(0), Ok(1), Err(Lost), Ok(3)]);
    }

    #[test]
    fn several_are_asked_at_once() {
        let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (highest, current) = (Arc::clone(&most), Arc::clone(&now));
        let ask = move |_| {
            highest.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(10));
            current.fetch_sub(1, Ordering::SeqCst);
        };
        assert_eq!(in_order(0..40, workers(4), ask).unwrap().count(), 40);
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }
}
