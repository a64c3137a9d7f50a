//! What a GPU would have to reach to be as fast as the CPU.
//!
//! A text must be copied to the adapter before it can be counted. If the copy takes `c` and the CPU
//! takes `t`, the kernel has `t - c`.

use crate::crossover::best_on_cpu;
use crate::model::{Kind, Needed, Report};
use crate::recommend::largest_count;

/// Buses, and what copies over them usually reach: about 80 % of the rate that the bus is sold with.
const BUSES: [(&str, u64); 3] = [
    ("PCIe 3.0 x16", 12_500_000_000),
    ("PCIe 4.0 x16", 25_000_000_000),
    ("PCIe 5.0 x16", 50_000_000_000),
];

/// The bus of most servers and workstations.
pub(crate) const USUAL_BUS: &str = BUSES[1].0;

/// Returns the rates for each text and bus, at the largest size.
pub(crate) fn needed(report: &Report) -> Vec<Needed> {
    let texts = report.data.iter().filter(|data| data.kind == Kind::Text);
    texts
        .filter_map(|data| {
            let case = largest_count(report, &data.name)?;
            let ns = best_on_cpu(case)?.end_to_end.median.max(1);
            let cpu = (case.bytes as f64 / ns as f64 * 1e9) as u64;
            Some(BUSES.map(|(bus, bus_rate)| Needed {
                data: data.name.clone(),
                bytes: case.bytes,
                cpu,
                bus: bus.to_owned(),
                bus_rate,
                kernel: kernel(cpu, bus_rate),
            }))
        })
        .flatten()
        .collect()
}

/// Returns the rate of a kernel that is as fast as the CPU together with the copy before it.
fn kernel(cpu: u64, bus: u64) -> Option<u64> {
    let left = 1.0 / cpu.max(1) as f64 - 1.0 / bus as f64;
    (left > 0.0).then(|| (1.0 / left) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{count, report};

    #[test]
    fn the_kernel_has_the_time_that_the_copy_leaves() {
        // Half of the time is the copy.
        assert_eq!(kernel(10, 20), Some(20));
        assert_eq!(kernel(20, 20), None);
        assert_eq!(kernel(30, 20), None);
        assert_eq!(kernel(0, 20), Some(1));
    }

    #[test]
    fn each_text_has_a_row_for_each_bus() {
        let mut report = report(vec![]);
        assert_eq!(needed(&report), []);
        report.cases = vec![count(1000, 5, &[]), count(25_000_000, 10, &[])];
        let found = needed(&report);
        assert_eq!(found.len(), 3);
        assert_eq!((found[1].cpu, found[1].bytes), (2_500_000_000, 25_000_000));
        assert_eq!(found[1].kernel, Some(2_777_777_777));
    }
}
