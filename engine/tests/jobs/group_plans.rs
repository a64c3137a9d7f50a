//! What a job that groups columns says of itself before it runs.

use std::sync::Arc;

use keymill::ErrorKind;
use keymill::aggregate::{count_rows, sum};
use keymill::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use keymill::prelude::*;

fn numbers() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
    let weights: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]));
    RecordBatch::try_from_iter([("id", ids), ("weight", weights)]).unwrap()
}

fn device_of(plan: &str) -> &str {
    let device = plan.lines().find_map(|line| line.strip_prefix("device"));
    device.unwrap_or_default().trim_start()
}

#[test]
fn a_plan_of_groups_names_what_it_will_do() {
    let builder = Engine::builder().threads(2).level(Level::Scalar);
    let engine = builder.memory(64 << 20).build().unwrap();
    let job = engine.read_batches([numbers()]).group_by(["id"]);
    let mut job = job.agg([sum("id").alias("total"), count_rows()]);
    let plan = job.explain();
    for part in [
        "source      batches",
        "keys        id\n",
        "aggregates  sum(id), count(*)",
        "level       scalar",
        "threads     2",
        "memory      64 MiB",
    ] {
        assert!(plan.contains(part), "{part} in {plan}");
    }
    assert_eq!(job.collect().unwrap().num_rows(), 2);
}

#[cfg(feature = "gpu")]
#[test]
fn a_plan_of_groups_says_where_it_runs_and_why() {
    let plan = |choice, aggregate| {
        let engine = Engine::builder().device(choice).build().unwrap();
        let job = engine.read_batches([numbers()]).group_by(["id"]);
        job.agg([aggregate]).explain()
    };
    for (choice, aggregate, said) in [
        (DeviceChoice::Cpu, sum("id"), "cpu, as requested"),
        (
            DeviceChoice::Auto,
            sum("id"),
            "auto: cpu; the number of batches is unknown, so `auto` uses no device",
        ),
        (
            DeviceChoice::Auto,
            sum("weight"),
            "auto: cpu; a device computes `sum(weight)` of integers, and the values are Float64",
        ),
        (
            DeviceChoice::Gpu,
            sum("weight"),
            "cpu, not gpu: a device computes `sum(weight)` of integers, and the values are Float64",
        ),
    ] {
        assert_eq!(device_of(&plan(choice, aggregate)), said);
    }
}

#[test]
fn a_plan_says_why_a_job_will_fail_and_the_job_fails() {
    let engine = Engine::builder().threads(1).build().unwrap();
    let broken = [Err(std::io::Error::other("a bad disk")), Ok(numbers())];
    let mut job = engine.read_batches(broken).group_by(["id"]).count();
    for _ in 0..2 {
        let plan = job.explain();
        assert!(
            device_of(&plan).starts_with("none: cannot read a batch"),
            "{plan}"
        );
    }
    assert_eq!(job.collect().unwrap_err().kind(), ErrorKind::Source);
    let mut job = engine
        .read_batches([numbers()])
        .group_by(["nobody"])
        .count();
    assert!(device_of(&job.explain()).contains("no column `nobody`"));
}
