//! From logs to the store: read, decompress, cut into frames, parse, record.
//!
//! ```text
//! logs ─▶ decompress ─▶ Framer ─▶ queue (bounded in bytes) ─▶ workers: parse into a batch ─▶ Sink::record (durable)
//!         one reader thread                                   one more than there are cores
//! ```
//!
//! Owns threads and their memory, and the account of what became of every record. It does not know where batches go
//! ([`Sink`]), which time it is, or who watches ([`Progress`]).
//!
//! Invariants:
//! - Memory is bounded whatever a log contains: by the queue, and one frame and one batch a worker.
//! - A record is reported as counted only after the sink acknowledged it, so a report never promises too much.
//! - A log that cannot be read does not stop the others. A sink that fails stops everything.
//! - When asked to stop, nothing more is read, and what was read is finished.

mod aliases;
mod batcher;
mod decompress;
mod delivery;
mod encoding;
pub mod envelope;
mod guess;
mod lines;
mod members;
mod outcomes;
mod pipeline;
mod progress;
mod queue;
mod reader;
mod report;
mod sink;
mod source;
mod upload;
mod worker;

pub use aliases::{AliasError, read_aliases};
pub use batcher::Batcher;
pub use decompress::{Compression, Decompressed, ZstdWindow, decompressed};
pub use delivery::Delivery;
pub use encoding::{Encodings, UnknownEncoding, decoded};
pub use guess::OtherFormat;
pub use members::TrailingBytes;
pub use outcomes::Outcomes;
pub use pipeline::{Plan, Stop, ingest};
pub use progress::Progress;
pub use report::{Report, SourceReport};
pub use sink::{Sink, StoreSink};
pub use source::{Source, SourceError};
pub use upload::{UploadError, UploadPlan, UploadReport, upload};
