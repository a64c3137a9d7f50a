//! keymill-bench
