//! The embedded engine: for each (organization, IP) the exact answer to "how many devices, since when, until when", over
//! any look-back, durable before it is acknowledged.
//!
//! ```text
//! accept batch → intern devices → journal (durable, group commit) → apply to head → acknowledge
//! head full or old → seal → fold every (organization, IP) of it into its tiles → drop its journal
//! question = head ⊔ sealed head ⊔ recent tile ⊔ base tile, restricted to the window
//! ```
//!
//! The state is a join-semilattice (`state.rs`): duplicates, reordering, late data, replay after a crash and
//! races between writer, flusher and reader are harmless; the only way to be wrong is to drop something. Sync, on the
//! threads of its callers and one of its own; it reads no clock.

mod contacts;
mod core;
mod devices;
mod disk;
mod engine;
mod error;
mod flush;
mod folder;
mod head;
mod heads;
mod journal;
mod lost;
mod maintenance;
mod names;
mod options;
mod pieces;
mod question;
mod recovery;
mod state;
mod tile;
mod tiles;
mod watermark;

pub use engine::{Engine, Figures, Health};
pub use error::{OpenError, ReadError, RecordError};
pub use folder::FolderError;
pub use options::Options;
