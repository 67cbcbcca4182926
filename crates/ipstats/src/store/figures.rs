//! What an operator watches, as every backend tells it.

use ipstats_engine::Figures;

/// One number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name among metrics, below `ipstats_`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// How it moves.
    pub kind: FigureKind,
    /// The number.
    pub value: u64,
}

/// How a figure moves, and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// Up and down, in bytes.
    Bytes,
    /// Up and down.
    Level,
    /// Only up, until the process ends.
    Count,
}

impl Figure {
    pub(super) const fn bytes(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: FigureKind::Bytes, value }
    }

    pub(super) const fn level(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: FigureKind::Level, value }
    }
}

/// The figures of the embedded engine.
pub(super) fn of_engine(figures: Figures) -> Vec<Figure> {
    vec![
        Figure::bytes("store_head", "Memory of what is not in tiles yet", figures.head_bytes),
        Figure::bytes("store_tiles", "Tiles on disk", figures.tile_bytes),
        Figure::bytes("store_disk", "Everything in the store on disk", figures.disk_bytes),
        Figure::level(
            "store_flushed_epoch",
            "The last epoch whose records are in tiles",
            figures.flushed_epoch,
        ),
    ]
}
