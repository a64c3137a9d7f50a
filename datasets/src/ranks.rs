//! Draws ranks from a Zipf distribution in constant time, with Vose's alias table.

use crate::rng::Rng;

/// The exponent s of a Zipf distribution: the weight of rank r is 1 / r^s.
///
/// The exponent is stored in 64ths. Such powers need only multiplication and square roots, which
/// give the same bits on every machine.
///
/// # Examples
///
/// ```
/// use keymill_datasets::Skew;
///
/// assert_eq!(Skew::nearest(1.0), Skew::ONE);
/// assert_eq!(Skew::nearest(0.5), Skew::from_64ths(32));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    sixty_fourths: u32,
}

impl Skew {
    /// The exponent 1, close to natural language.
    pub const ONE: Self = Self::from_64ths(64);
    /// The exponent 0: all ranks are equally likely.
    pub const EVEN: Self = Self::from_64ths(0);

    /// Returns the exponent `n / 64`, limited to 16.
    #[must_use]
    pub const fn from_64ths(n: u32) -> Self {
        let max = 16 * 64;
        Self {
            sixty_fourths: if n < max { n } else { max },
        }
    }

    /// Returns the representable exponent closest to `s`. Negative values and NaN become 0.
    #[must_use]
    pub fn nearest(s: f64) -> Self {
        Self::from_64ths((s * 64.0 + 0.5) as u32)
    }

    /// Returns `base` raised to this exponent.
    fn power(self, base: f64) -> f64 {
        let mut power = 1.0;
        for _ in 0..self.sixty_fourths / 64 {
            power *= base;
        }
        // Bit 5 is the square root, bit 4 the fourth root, and so on.
        let mut fraction = self.sixty_fourths % 64;
        let mut root = base;
        while fraction != 0 {
            root = root.sqrt();
            if fraction & 32 != 0 {
                power *= root;
            }
            fraction = (fraction << 1) & 63;
        }
        power
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    /// The bucket's own rank is drawn if 32 random bits are below this. Else the other rank is
    /// drawn.
    threshold: u32,
    other: u32,
}

/// A table that draws ranks from a Zipf distribution: rank 0 most often, rank 1 less, and so on.
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Ranks, Rng, Skew};
///
/// let ranks = Ranks::zipf(1000, Skew::ONE);
/// let mut rng = Rng::new(1);
/// let zeros = (0..10_000).filter(|_| ranks.draw(&mut rng) == 0).count();
/// assert!((1200..1500).contains(&zeros)); // 1 / (1 + 1/2 + … + 1/1000) = 13.4 %
/// ```
pub struct Ranks {
    buckets: Vec<Bucket>,
}

impl Ranks {
    /// Creates the table for ranks `0..count`; a count of 0 is treated as 1.
    #[must_use]
    pub fn zipf(count: u32, skew: Skew) -> Self {
        let mut weights: Vec<f64> = (1..=count.max(1))
            .map(|rank| 1.0 / skew.power(f64::from(rank)))
            .collect();
        // Adds from the smallest weight to the largest, to keep precision. The order is fixed,
        // because another order would give another sum.
        let sum = weights.iter().rev().fold(0.0, |sum, weight| sum + weight);
        let scale = weights.len() as f64 / sum;
        for weight in &mut weights {
            *weight *= scale;
        }
        Self {
            buckets: fill(weights),
        }
    }

    /// Draws a rank.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let random = rng.next_u64();
        let place = ((random >> 32) * self.buckets.len() as u64) >> 32;
        let bucket = self.buckets[place as usize];
        // Selected by an index, because a branch could not be predicted.
        let ranks = [bucket.other as usize, place as usize];
        ranks[usize::from((random as u32) < bucket.threshold)]
    }
}

/// Pairs each rank below the mean with a heavier rank that fills its bucket.
fn fill(mut weights: Vec<f64>) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = (0..weights.len())
        .map(|rank| Bucket {
            threshold: u32::MAX,
            other: rank as u32,
        })
        .collect();
    let (mut light, mut heavy): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|&rank| weights[rank] < 1.0);
    while let (Some(&small), Some(&large)) = (light.last(), heavy.last()) {
        light.pop();
        buckets[small] = Bucket {
            threshold: (weights[small] * 4_294_967_296.0) as u32,
            other: large as u32,
        };
        weights[large] -= 1.0 - weights[small];
        if weights[large] < 1.0 {
            heavy.pop();
            light.push(large);
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_correct() {
        assert_eq!(Skew::ONE.power(7.0), 7.0);
        assert_eq!(Skew::EVEN.power(7.0), 1.0);
        assert_eq!(Skew::from_64ths(160).power(4.0), 32.0);
        let close = Skew::nearest(1.25).power(16.0);
        assert!((close - 32.0).abs() < 1e-12, "{close}");
    }

    #[test]
    fn nearest_maps_invalid_values_to_valid_skews() {
        assert_eq!(Skew::nearest(-3.0), Skew::EVEN);
        assert_eq!(Skew::nearest(f64::NAN), Skew::EVEN);
        assert_eq!(Skew::nearest(f64::INFINITY), Skew::from_64ths(1024));
    }

    #[test]
    fn buckets_have_the_zipf_weights() {
        let ranks = Ranks::zipf(50, Skew::nearest(1.5));
        let mut mass = [0.0; 50];
        for (rank, bucket) in ranks.buckets.iter().enumerate() {
            let own = f64::from(bucket.threshold) / 4_294_967_296.0;
            mass[rank] += own;
            mass[bucket.other as usize] += 1.0 - own;
        }
        for rank in 1..50 {
            let (found, wanted) = (mass[0] / mass[rank], ((rank + 1) as f64).powf(1.5));
            assert!(
                (found / wanted - 1.0).abs() < 1e-6,
                "rank {rank}: {found} instead of {wanted}"
            );
        }
    }

    #[test]
    fn a_count_of_one_or_zero_draws_rank_zero() {
        let mut rng = Rng::new(1);
        assert_eq!(Ranks::zipf(1, Skew::ONE).draw(&mut rng), 0);
        assert_eq!(Ranks::zipf(0, Skew::ONE).draw(&mut rng), 0);
    }
}
