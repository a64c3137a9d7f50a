//! Text that is to be cut into tokens.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::CountJob;
use crate::Progress;
use crate::api::Engine;
use crate::read::{Columns, Source};
use crate::{Cancel, Result, TokenRule};

/// Where a job's text comes from.
pub(crate) enum Input {
    Source(Arc<dyn Source>),
    Columns(Columns),
}

impl Input {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Source(source) => source.describe(),
            Self::Columns(columns) => columns.describe(),
        }
    }
}

/// How a job is watched and stopped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) cancel: Cancel,
    pub(crate) progress: Progress,
}

/// A job that has text; [`TextJob::tokenize`] says what its tokens are.
///
/// # Examples
///
/// ```
/// use keymill::Progress;
/// use keymill::prelude::*;
///
/// let progress = Progress::default();
/// let text = Engine::new()?.read_bytes("to be\nor not").progress(&progress);
/// assert_eq!(text.tokenize(lines()).count_by_key().collect()?.len(), 2);
/// assert_eq!(progress.bytes(), 12);
/// # Ok::<(), keymill::Error>(())
/// ```
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct TextJob {
    engine: Engine,
    input: Result<Input>,
    options: Options,
}

impl TextJob {
    pub(crate) fn new(engine: Engine, input: Result<Input>) -> Self {
        Self {
            engine,
            input,
            options: Options::default(),
        }
    }

    /// Lets a flag stop the job, within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel = cancel.clone();
        self
    }

    /// Shows how far the job is, to whoever holds a clone of `progress`.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.options.progress = progress.clone();
        self
    }

    /// Cuts the text into tokens.
    pub fn tokenize(self, rule: TokenRule) -> TokenJob {
        TokenJob {
            text: self,
            rule,
            lowercase: false,
        }
    }
}

/// A job that has tokens; [`TokenJob::count_by_key`] counts equal ones.
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct TokenJob {
    text: TextJob,
    rule: TokenRule,
    lowercase: bool,
}

impl TokenJob {
    /// Makes the text lower case before it is cut into tokens, character by character.
    ///
    /// A separator with capital letters is then found nowhere.
    pub fn lowercase(mut self) -> Self {
        self.lowercase = true;
        self
    }

    /// Counts equal tokens.
    pub fn count_by_key(self) -> CountJob {
        CountJob {
            engine: self.text.engine,
            input: self.text.input,
            options: self.text.options,
            rule: self.rule,
            lowercase: self.lowercase,
        }
    }
}
