//! Groups rows on a device. The processor groups those that the device refuses or has lost.
//!
//! ```text
//! batches ─▶ keys, values ─▶ gathered to a chunk ─▶ reduce_by_key ─▶ state columns ─▶ operator
//!    │                                                   └─ a fault: the chunk's rows ─▶ operator
//!    └─ nulls, values of 2^63 and more ─────────────────────────────────────────────▶ operator
//! ```
#![forbid(unsafe_code)]

mod plan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use super::Stats;
use super::chunk_sink::ChunkSink;
use super::env::RuntimeEnv;
use super::gpu_worker::loss;
use crate::device::reduce_by_key::{Group, Rows, Table, run_until};
use crate::device::{Device, Fault};
use crate::operator::{GroupBy, Input, Operator};
use crate::runtime::Reservation;
use crate::state::GroupShape;
use crate::{Error, ErrorKind, Resources, Result};
pub(super) use plan::DevicePlan;
use plan::DeviceRows;

/// 1/n of the memory budget is for a chunk and the answer of a device.
const CHUNK_PART: usize = 8;

/// Maximum bytes of a row in addition to its columns while a device reduces it: the upload, the
/// downloaded record, and its state.
const ANSWER_BYTES: usize = 256;

/// Maximum bytes of a row per column of values: its group.
const GROUP_BYTES: usize = size_of::<Group<u64>>();

/// Rows that are pushed to the operator at a time.
const ROWS_AT_ONCE: usize = 4096;

/// Runs a worker's chunks on a device.
pub(super) struct GpuGroupBy<'a> {
    env: &'a RuntimeEnv,
    shape: &'a GroupShape,
    plan: &'a DevicePlan,
    resources: &'a Resources,
    device: Option<Arc<dyn Device>>,
    /// Rows that are gathered to a chunk.
    gathered: DeviceRows,
    reservation: Reservation,
    /// Number of groups of the last chunk, as an estimate for the next one.
    last_groups: Option<usize>,
    /// Rows that the device has reduced, and the time for it.
    rows: u64,
    busy: Duration,
}

impl<'a> GpuGroupBy<'a> {
    pub(super) fn new(
        env: &'a RuntimeEnv,
        shape: &'a GroupShape,
        plan: &'a DevicePlan,
        resources: &'a Resources,
    ) -> Self {
        Self {
            env,
            shape,
            plan,
            resources,
            device: None,
            gathered: DeviceRows::default(),
            reservation: resources.memory.reservation(),
            last_groups: None,
            rows: 0,
            busy: Duration::ZERO,
        }
    }

    /// Returns whether there is a device. Opens one if there was none.
    fn is_open(&mut self) -> bool {
        if self.device.is_none() {
            // The loss was already reported.
            self.device = self.env.shared_device.try_device();
        }
        self.device.is_some()
    }

    /// Returns the maximum bytes of a row while a device reduces it.
    fn busy_row_bytes(&self) -> usize {
        self.plan.row_bytes() + ANSWER_BYTES + GROUP_BYTES * self.plan.columns()
    }

    /// Returns the maximum rows of a chunk.
    fn chunk_rows(&self) -> usize {
        let tuned = self.resources.tuning.device_chunk_bytes / self.plan.row_bytes();
        let budget = self.resources.memory.limit() / CHUNK_PART / self.busy_row_bytes();
        let bound = match &self.device {
            // A key has 8 bytes. Half of a binding is left for the slots of the table.
            Some(device) => usize::try_from(device.binding_bytes() / 16).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        tuned.min(budget).min(bound).max(1)
    }

    fn push_batch(
        &mut self,
        batch: &RecordBatch,
        operator: &mut GroupBy,
        stats: &mut Stats,
    ) -> Result<()> {
        if self.gathered.len() == 0 && !self.is_open() {
            stats.cpu_chunks += 1;
            return operator.push(batch);
        }
        let keys = self.shape.keys_of(batch)?;
        let arguments = self.shape.arguments_of(batch, 0)?;
        match self.plan.rows(&keys, &arguments)? {
            Ok(rows) => self.gather(&rows, operator, stats),
            Err(why) => {
                stats.remark(format!(
                    "some rows were grouped on the processor: {why}, which no device takes"
                ));
                stats.cpu_chunks += 1;
                operator.push(batch)
            }
        }
    }

    /// Gathers rows, and sends each full chunk to the device.
    fn gather(
        &mut self,
        rows: &DeviceRows,
        operator: &mut GroupBy,
        stats: &mut Stats,
    ) -> Result<()> {
        let mut first = 0;
        while first < rows.len() {
            let room = self.chunk_rows().saturating_sub(self.gathered.len());
            let some = room.min(rows.len() - first);
            self.gathered.extend(rows, first..first + some);
            self.reservation.set(self.gathered.size());
            first += some;
            if some == room {
                self.send(operator, stats)?;
            }
        }
        Ok(())
    }

    /// Reduces the gathered rows, and pushes their groups to the operator.
    fn send(&mut self, operator: &mut GroupBy, stats: &mut Stats) -> Result<()> {
        let rows = std::mem::take(&mut self.gathered);
        if rows.len() == 0 {
            return Ok(());
        }
        self.resources.cancel.check()?;
        let Some(device) = self.device.clone() else {
            return self.push_rows(&rows, operator, stats);
        };
        self.reservation.set(rows.len() * self.busy_row_bytes());
        let started = Instant::now();
        match self.reduce(&*device, &rows) {
            Ok(states) => {
                self.busy += started.elapsed();
                self.rows += rows.len() as u64;
                self.last_groups = Some(states.num_rows());
                self.env.shared_device.record_success();
                stats.gpu_chunks += 1;
                stats.device = Some(device.name().to_owned());
                operator.push_reduced(&states, rows.len() as u64)?;
            }
            Err(Fault::Cancelled) => return Err(Error::cancelled()),
            Err(fault) => self.redo(&device, &fault, &rows, operator, stats)?,
        }
        self.reservation.set(0);
        Ok(())
    }

    /// Reduces rows on the device, and returns the state columns of their groups.
    fn reduce(
        &self,
        device: &dyn Device,
        rows: &DeviceRows,
    ) -> std::result::Result<RecordBatch, Fault> {
        let Resources { tuning, cancel, .. } = self.resources;
        // If there are more groups than expected, the processor reduces the rows that find no slot.
        let expected = self.last_groups.map_or(rows.len(), |last| last + last / 4);
        let table = Table::for_rows(rows.len(), expected, device.binding_bytes());
        let table = table.with_hash_mask(tuning.hash_mask as u32);
        let groups = rows.values.iter().map(|values| {
            let keys = &rows.keys;
            run_until(device, Rows { keys, values }, &table, cancel).map(|reduced| reduced.groups)
        });
        let groups = groups.collect::<std::result::Result<Vec<_>, _>>()?;
        self.plan.states(self.shape, &groups)
    }

    /// Groups the rows of a failed device on the processor. The device is not used again.
    fn redo(
        &mut self,
        device: &Arc<dyn Device>,
        fault: &Fault,
        rows: &DeviceRows,
        operator: &mut GroupBy,
        stats: &mut Stats,
    ) -> Result<()> {
        self.device = None;
        let goes_on = self.env.shared_device.record_failure(device);
        stats.remark(loss(device.name(), fault, goes_on));
        self.push_rows(rows, operator, stats)
    }

    /// Pushes each row to the operator as the state of a group of one row.
    fn push_rows(
        &self,
        rows: &DeviceRows,
        operator: &mut GroupBy,
        stats: &mut Stats,
    ) -> Result<()> {
        stats.cpu_chunks += 1;
        for first in (0..rows.len()).step_by(ROWS_AT_ONCE) {
            let some = first..rows.len().min(first + ROWS_AT_ONCE);
            let count = some.len() as u64;
            let states = self.plan.states(self.shape, &rows.as_groups(some));
            let states = states.map_err(|fault| Error::new(ErrorKind::Internal, fault.to_string()));
            operator.push_reduced(&states?, count)?;
        }
        Ok(())
    }
}

impl ChunkSink<GroupBy> for GpuGroupBy<'_> {
    fn push(&mut self, chunk: Input<'_>, operator: &mut GroupBy, stats: &mut Stats) -> Result<()> {
        match chunk {
            Input::Batch(batch) => self.push_batch(batch, operator, stats),
            // The operator returns the error for text.
            Input::Text(_) => operator.push(chunk),
        }
    }

    fn has_enough(&self) -> bool {
        false
    }

    fn finish(&mut self, operator: &mut GroupBy, stats: &mut Stats) -> Result<()> {
        self.send(operator, stats)?;
        self.reservation.set(0);
        if let (Some(name), true) = (&stats.device, self.rows > 0) {
            let (rows, seconds) = (self.rows, self.busy.as_secs_f64());
            stats.decide(format!("{name}: {rows} rows measured in {seconds:.3} s"));
        }
        Ok(())
    }
}
