//! Which shard of a cluster holds an IP: the rule of its `Distributed` tables, so that a question goes to that shard alone.

use ipstats_model::{CanonicalIp, Organization};

/// The sharding key of the tables. [`hash`] computes the same.
pub(super) const SHARDING_KEY: &str = "cityHash64(concat(organization, ip))";

/// Asks a server for the hash of some bytes; [`probe`] is what it must say.
pub(super) const PROBE_QUESTION: &str = "cityHash64('0123456789abcdefGHIJKLMNOPQRSTUV')";

/// The hash of the bytes of [`PROBE_QUESTION`].
pub(super) fn probe() -> u64 {
    hash(Organization::from_bytes(*b"0123456789abcdef"), CanonicalIp::from_bytes(*b"GHIJKLMNOPQRSTUV"))
}

/// The shards of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shards(Vec<Shard>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) number: u32,
    pub(super) weight: u32,
    /// Servers that hold it.
    pub(super) replicas: u32,
}

impl Shards {
    /// Shards in the order of their numbers.
    pub(super) const fn new(shards: Vec<Shard>) -> Self {
        Self(shards)
    }

    /// The shard that holds an IP: shards share out the remainders of the hash in the order of their numbers,
    /// each as many as its weight says. None where there are no shards.
    pub(super) fn of(&self, organization: Organization, ip: CanonicalIp) -> Option<Shard> {
        let total: u64 = self.0.iter().map(|shard| u64::from(shard.weight)).sum();
        let mut remainder = hash(organization, ip).checked_rem(total)?;
        for shard in &self.0 {
            match remainder.checked_sub(u64::from(shard.weight)) {
                None => return Some(*shard),
                Some(rest) => remainder = rest,
            }
        }
        None
    }

    /// In the order of their numbers.
    pub(super) fn all(&self) -> &[Shard] {
        &self.0
    }
}

/// CityHash64 of version 1.0.2, which ClickHouse keeps to, of the 32 bytes of organization and IP.
fn hash(organization: Organization, ip: CanonicalIp) -> u64 {
    const K0: u64 = 0xc3a5_c85c_97cb_3127;
    const K1: u64 = 0xb492_b66f_be98_f273;
    const K2: u64 = 0x9ae1_6a3b_2f90_404f;
    const K3: u64 = 0xc949_d7c7_509e_6557;
    const LENGTH: u64 = 32;
    let ([a, b], [d, c]) = (words(organization.as_bytes()), words(ip.as_bytes()));
    let (a, c, d) = (a.wrapping_mul(K1), c.wrapping_mul(K2), d.wrapping_mul(K0));
    let low = a.wrapping_sub(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let high = a.wrapping_add((b ^ K3).rotate_right(20)).wrapping_sub(c).wrapping_add(LENGTH);
    mix(low, high)
}

/// Two words into one.
fn mix(low: u64, high: u64) -> u64 {
    const FACTOR: u64 = 0x9ddf_ea08_eb38_2d69;
    let first = (low ^ high).wrapping_mul(FACTOR);
    let first = first ^ (first >> 47);
    let second = (high ^ first).wrapping_mul(FACTOR);
    (second ^ (second >> 47)).wrapping_mul(FACTOR)
}

fn words(bytes: &[u8; 16]) -> [u64; 2] {
    let number = u128::from_le_bytes(*bytes);
    [number & u128::from(u64::MAX), number >> 64].map(|word| u64::try_from(word).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_clickhouse() {
        // SELECT cityHash64(concat(organization, ip)) on 18.16.
        let organization: Organization = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        assert_eq!(hash(organization, "1.2.3.4".parse().unwrap()), 8_147_318_463_808_636_268);
    }

    #[test]
    fn shards_get_what_their_weights_say() {
        let ip = "1.2.3.4".parse().unwrap();
        let shard = |number, weight| Shard { number, weight, replicas: 2 };
        let shards = Shards::new(vec![shard(1, 3), shard(2, 0), shard(3, 1)]);
        let mut found = [0_u32; 4];
        for number in 0..4000_u128 {
            let of = shards.of(Organization::from_bytes(number.to_be_bytes()), ip).unwrap();
            found[of.number as usize] += 1;
        }
        assert_eq!((found[0], found[2]), (0, 0));
        assert!((2850..3150).contains(&found[1]), "{found:?}");
        assert_eq!(Shards::default().of(Organization::from_bytes([0; 16]), ip), None);
    }
}
