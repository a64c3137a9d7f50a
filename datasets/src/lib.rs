//! keymill-datasets
