//! Draws ranks by Zipf's law in constant time, by Vose's alias table.

use crate::rng::Rng;

/// How steep Zipf's law is: the word of rank r weighs 1 / r^s.
///
/// The exponent s is kept in 64ths, because such powers need nothing but multiplication and square
/// roots, which give the same bits on every machine.
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
    /// The exponent 1, close to what natural language shows.
    pub const ONE: Self = Self::from_64ths(64);
    /// The exponent 0: every rank is as likely as every other.
    pub const EVEN: Self = Self::from_64ths(0);

    /// The exponent `n / 64`, at most 16.
    #[must_use]
    pub const fn from_64ths(n: u32) -> Self {
        let most = 16 * 64;
        Self {
            sixty_fourths: if n < most { n } else { most },
        }
    }

    /// The exponent next to `s` of those that exist; what is negative or no number becomes 0.
    #[must_use]
    pub fn nearest(s: f64) -> Self {
        Self::from_64ths((s * 64.0 + 0.5) as u32)
    }

    /// Raises `base` to this exponent.
    fn power(self, base: f64) -> f64 {
        let mut power = 1.0;
        for _ in 0..self.sixty_fourths / 64 {
            power *= base;
        }
        // Bit 5 stands for the square root, bit 4 for the fourth, and so on.
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
    /// The bucket's own rank is drawn where 32 random bits are below this.
    threshold: u32,
    other: u32,
}

/// A table that draws rank 0 most often, rank 1 less, and so on by Zipf's law.
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
    /// Makes the table for ranks `0..count`; a count of 0 is taken as 1.
    #[must_use]
    pub fn zipf(count: u32, skew: Skew) -> Self {
        let mut weights: Vec<f64> = (1..=count.max(1))
            .map(|rank| 1.0 / skew.power(f64::from(rank)))
            .collect();
        // From the smallest up, so that the many small ones are not lost beside the large; one by
        // one, because another order of additions would be another sum.
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
        // Chosen by an index, because which of the two it is cannot be foretold by a branch.
        let ranks = [bucket.other as usize, place as usize];
        ranks[usize::from((random as u32) < bucket.threshold)]
    }
}

/// Pairs each rank lighter than the mean with a heavier one that fills its bucket up.
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
    fn powers_are_right() {
        assert_eq!(Skew::ONE.power(7.0), 7.0);
        assert_eq!(Skew::EVEN.power(7.0), 1.0);
        assert_eq!(Skew::from_64ths(160).power(4.0), 32.0);
        let close = Skew::nearest(1.25).power(16.0);
        assert!((close - 32.0).abs() < 1e-12, "{close}");
    }

    #[test]
    fn the_nearest_skew_of_nonsense_is_even() {
        assert_eq!(Skew::nearest(-3.0), Skew::EVEN);
        assert_eq!(Skew::nearest(f64::NAN), Skew::EVEN);
        assert_eq!(Skew::nearest(f64::INFINITY), Skew::from_64ths(1024));
    }

    #[test]
    fn buckets_carry_the_weights() {
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
    fn one_rank_and_none_draw_zero() {
        let mut rng = Rng::new(1);
        assert_eq!(Ranks::zipf(1, Skew::ONE).draw(&mut rng), 0);
        assert_eq!(Ranks::zipf(0, Skew::ONE).draw(&mut rng), 0);
    }
}
