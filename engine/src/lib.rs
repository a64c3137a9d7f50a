//! keymill
