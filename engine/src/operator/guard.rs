//! Refuses all steps of an operator after an error that left it incomplete.
#![forbid(unsafe_code)]

use crate::{Cancel, Error, ErrorKind, Result};

/// Whether an operator is complete.
#[derive(Debug, Default)]
pub(super) struct Guard {
    is_incomplete: bool,
}

impl Guard {
    /// Begins a step. The operator counts as incomplete until the step ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after an error that left the operator incomplete, and a cancellation.
    pub(super) fn begin(&mut self, cancel: &Cancel) -> Result<()> {
        if self.is_incomplete {
            return Err(Error::new(
                ErrorKind::State,
                "an earlier error left this operator incomplete; start again with a new one",
            ));
        }
        cancel.check()?;
        self.is_incomplete = true;
        Ok(())
    }

    /// Ends a step with its result, which is returned.
    pub(super) fn end<T>(&mut self, result: Result<T>) -> Result<T> {
        // Errors of these kinds are found before anything is changed.
        let unchanged = [ErrorKind::Format, ErrorKind::Config];
        let failed = |error: &Error| !unchanged.contains(&error.kind());
        self.is_incomplete = result.as_ref().err().is_some_and(failed);
        result
    }

    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }
}
