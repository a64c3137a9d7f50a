//! Jobs that return rows, without groups.
#![forbid(unsafe_code)]

use super::{BatchJob, Groups, ResultStream};
use crate::exec;
use crate::expr::col;
use crate::operator::Order;
use crate::operator::arrange::{Arrangement, SortBy, arrange};
use crate::{BatchLimits, Error, ErrorKind, Result};

impl BatchJob {
    /// Runs the job and returns all rows in memory, in the order of the input.
    ///
    /// # Errors
    ///
    /// Those of [`BatchJob::stream`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use keymill::prelude::*;
    ///
    /// let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    /// let batch = RecordBatch::try_from_iter([("n", numbers)])?;
    /// let rows = Engine::new()?
    ///     .read_batches([batch])
    ///     .filter(col("n").gt(lit(1)))
    ///     .select([(col("n") * lit(10)).alias("tens")])
    ///     .collect()?;
    /// assert_eq!(rows.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect(self) -> Result<Groups> {
        Groups::collect(self.stream(Order::None, BatchLimits::default())?)
    }

    /// Runs the job and returns a stream of its rows. [`Order::None`] and [`Order::Key`] are the order of
    /// the input, which also decides among rows that are equal in all columns of the order.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for columns that do not exist or whose types do not fit and
    /// for [`Order::Count`], [`Source`](crate::ErrorKind::Source) for batches that cannot be read,
    /// [`Format`](crate::ErrorKind::Format) and [`Capacity`](crate::ErrorKind::Capacity) for values that
    /// an expression cannot take, and [`Cancelled`](crate::ErrorKind::Cancelled).
    pub fn stream(self, order: Order, limits: BatchLimits) -> Result<ResultStream> {
        let order = match order {
            Order::None | Order::Key => Vec::new(),
            Order::Columns(columns) => columns
                .iter()
                .map(|by| SortBy {
                    by: col(by.column()),
                    descending: by.is_descending(),
                    nulls_first: false,
                })
                .collect(),
            Order::Count => {
                let message = "rows without groups have no count to order by; order by columns";
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let arrangement = Arrangement {
            order,
            ..Arrangement::default()
        };
        self.arranged(&arrangement, limits)
    }

    pub(super) fn arranged(
        self,
        arrangement: &Arrangement,
        limits: BatchLimits,
    ) -> Result<ResultStream> {
        let batches = self
            .batches
            .with_steps(&self.steps, arrangement.columns())?;
        let counts = batches.counts();
        let mut output = exec::run_rows(self.engine.env(), batches, &self.options)?;
        output.batches = arrange(output.batches, arrangement, limits, &output.resources)?;
        Ok(ResultStream::new(self.engine, output, counts))
    }
}
