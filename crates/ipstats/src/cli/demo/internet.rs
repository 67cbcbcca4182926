//! Where ordinary traffic goes: few addresses that everybody contacts, and a long tail.

use ipstats_model::CanonicalIp;
use rand::Rng;
use rand_distr::{Distribution, Zipf, ZipfError};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Addresses there are.
const ADDRESSES: f64 = 60_000.0;
/// How fast popularity falls with the rank: a little faster than Zipf's law says.
const EXPONENT: f64 = 1.05;

/// The ordinary destinations, by popularity.
pub(super) struct Internet {
    ranks: Zipf<f64>,
    seed: u64,
}

impl Internet {
    /// The internet of this seed.
    pub(super) fn new(seed: u64) -> Result<Self, ZipfError> {
        Ok(Self { ranks: Zipf::new(ADDRESSES, EXPONENT)?, seed })
    }

    /// A destination; popular ones come often.
    pub(super) fn pick(&self, rng: &mut impl Rng) -> CanonicalIp {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is 1 to 60000")]
        let rank = self.ranks.sample(rng) as u64;
        self.at(rank)
    }

    /// The destination of this rank, 1 being the most popular one. About one in twelve is an IPv6 address.
    pub(super) fn at(&self, rank: u64) -> CanonicalIp {
        let hash = mix(self.seed ^ rank);
        if rank > 1 && hash.is_multiple_of(12) {
            let documentation = 0x2001_0db8_u128 << 96;
            return Ipv6Addr::from_bits(documentation | u128::from(mix(hash) >> 16)).into();
        }
        public_ipv4(hash).into()
    }
}

/// A public address, from a random number.
fn public_ipv4(mut random: u64) -> Ipv4Addr {
    loop {
        let [a, b, c, d, ..] = random.to_be_bytes();
        let address = Ipv4Addr::new(a, b, c, d);
        let shared = a == 100 && (64..128).contains(&b);
        let special = address.is_private() || address.is_link_local() || address.is_documentation() || shared;
        if (1..224).contains(&a) && a != 127 && !special {
            return address;
        }
        random = mix(random);
    }
}

/// Steele, Lea and Flood's `SplitMix64` finalizer: neighbouring numbers become unrelated ones.
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use std::collections::HashMap;

    #[test]
    fn popularity_has_a_heavy_tail() {
        let internet = Internet::new(7).unwrap();
        let mut rng = SmallRng::seed_from_u64(1);
        let mut counts: HashMap<CanonicalIp, u32> = HashMap::new();
        for _ in 0..100_000 {
            *counts.entry(internet.pick(&mut rng)).or_default() += 1;
        }
        let once = counts.values().filter(|count| **count == 1).count();
        assert!(counts[&internet.at(1)] > 5_000, "the first is contacted all the time");
        assert!(counts.len() > 10_000 && once * 2 > counts.len(), "{once} of {} once", counts.len());
    }
}
