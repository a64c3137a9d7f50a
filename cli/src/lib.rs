//! keymill-cli
