//! The connections, made block by block so that several threads can make them.

use ipstats_model::{Batch, CanonicalIp, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::net::Ipv4Addr;

/// Addresses there are.
const IPS: f64 = 1_000_000.0;
/// Devices there are.
const DEVICES: u32 = 100_000;
/// Connections in a block, and in a batch.
const BLOCK_ROWS: u64 = 1 << 16;
/// The end of the 30 days: 2026-08-30T00:00:00Z.
pub(crate) const END: Timestamp = Timestamp::from_second(1_788_048_000);
const SPAN_SECONDS: u64 = 30 * 86_400;

/// All connections of one size of the experiment.
pub(crate) struct Connections {
    pub(crate) rows: u64,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) device: Ipv4Addr,
    pub(crate) ip: Ipv4Addr,
    pub(crate) at: Timestamp,
    /// More randomness, for what else a log says.
    pub(crate) noise: u64,
}

impl Connections {
    /// Number of blocks.
    pub(crate) fn blocks(&self) -> u64 {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// The connections of a block, in time order; blocks are in time order too.
    pub(crate) fn block(&self, block: u64) -> anyhow::Result<impl Iterator<Item = Connection>> {
        let mut rng = SmallRng::seed_from_u64(block);
        let ranks = Zipf::new(IPS, 1.0)?;
        let rows = self.rows;
        let first = block * BLOCK_ROWS;
        Ok((first..rows.min(first + BLOCK_ROWS)).map(move |row| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rank is 1 to 10^6"
            )]
            let rank = ranks.sample(&mut rng) as u32;
            let elapsed = u128::from(row) * u128::from(SPAN_SECONDS) / u128::from(rows);
            let before_end = SPAN_SECONDS.saturating_sub(u64::try_from(elapsed).unwrap_or(SPAN_SECONDS));
            Connection {
                device: Ipv4Addr::from_bits((10 << 24) + rng.random_range(0..DEVICES)),
                ip: Ipv4Addr::from_bits(scatter(rank)),
                at: END.plus_seconds(-i64::try_from(before_end).unwrap_or(0)),
                noise: rng.random(),
            }
        }))
    }

    /// The batch of a block.
    pub(crate) fn batch(&self, block: u64) -> anyhow::Result<Batch> {
        let mut batch = Batch::new();
        for connection in self.block(block)? {
            let device = CanonicalIp::from(connection.device).text();
            batch.push(device.as_str(), connection.ip.into(), connection.at)?;
        }
        Ok(batch)
    }
}

/// A bijection of 32 bits (the finalizer of Appleby's `MurmurHash3`): every rank has an address of its own.
fn scatter(mut bits: u32) -> u32 {
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    bits ^ (bits >> 16)
}
