//! Jobs over text, before and after tokenization.
#![forbid(unsafe_code)]

use super::{CountJob, Engine};
use crate::exec::{JobInput, JobOptions, TextCountJob};
use crate::plan::IntoTokenRule;
use crate::{Cancel, Progress, Result, TokenRule};

/// A job over text. Call [`TextJob::tokenize`] next.
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
    input: Result<JobInput>,
    options: JobOptions,
}

impl TextJob {
    pub(super) fn new(engine: Engine, input: Result<JobInput>) -> Self {
        Self {
            engine,
            input,
            options: JobOptions::default(),
        }
    }

    pub(super) fn with_options(self, options: JobOptions) -> Self {
        Self { options, ..self }
    }

    /// Sets a flag that stops the job within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel = cancel.clone();
        self
    }

    /// Sets the progress object that the job updates. Keep a clone to read it.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.options.progress = progress.clone();
        self
    }

    /// Splits the text into tokens. If the rule is an error, the job returns it when it runs.
    pub fn tokenize(mut self, rule: impl IntoTokenRule) -> TokenJob {
        let rule = rule.into_token_rule().unwrap_or_else(|error| {
            self.input = Err(error);
            TokenRule::default()
        });
        TokenJob {
            text: self,
            rule,
            lowercase: false,
        }
    }
}

/// A job with tokens. Call [`TokenJob::count_by_key`] next.
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct TokenJob {
    text: TextJob,
    rule: TokenRule,
    lowercase: bool,
}

impl TokenJob {
    /// Maps each character of the text to lower case before it is split into tokens.
    ///
    /// A separator with capital letters then never occurs.
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
            job: TextCountJob {
                rule: self.rule,
                lowercase: self.lowercase,
            },
        }
    }
}
