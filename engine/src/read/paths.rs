//! Conversion of one or several paths.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// One or several paths.
pub trait IntoPaths {
    /// Returns the paths.
    fn into_paths(self) -> Vec<PathBuf>;
}

macro_rules! one_path {
    ($($path:ty),*) => {$(
        impl IntoPaths for $path {
            fn into_paths(self) -> Vec<PathBuf> {
                vec![PathBuf::from(self)]
            }
        }
    )*};
}

one_path!(&str, &String, String, &Path, &PathBuf, PathBuf);

impl<P: AsRef<Path>> IntoPaths for &[P] {
    fn into_paths(self) -> Vec<PathBuf> {
        self.iter()
            .map(|path| path.as_ref().to_path_buf())
            .collect()
    }
}

impl<P: AsRef<Path>> IntoPaths for &Vec<P> {
    fn into_paths(self) -> Vec<PathBuf> {
        self.as_slice().into_paths()
    }
}

impl<P: AsRef<Path>> IntoPaths for Vec<P> {
    fn into_paths(self) -> Vec<PathBuf> {
        self.as_slice().into_paths()
    }
}

impl<P: AsRef<Path>, const N: usize> IntoPaths for [P; N] {
    fn into_paths(self) -> Vec<PathBuf> {
        self.as_slice().into_paths()
    }
}
