//! The arguments of `keymill compare`.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::Args;
use keymill::TokenRule;

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Measure less, in under 30 seconds instead of up to five minutes
    #[arg(long)]
    pub(crate) quick: bool,

    /// Measure these files, decompressed, together up to 256 MiB (16 MiB with --quick); `-` is standard
    /// input; the default are seeded texts
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,

    /// Folder for report.html, report.json and report.md; then only the recommendation goes to standard output. By
    /// default the page in Markdown goes to standard output
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Also write each chart as an SVG file into the folder of the report
    #[arg(long, requires = "output")]
    pub(crate) svg: bool,

    /// Folder of earlier reports: the report says what changed since the latest one of this machine, and is
    /// added to the folder
    #[arg(long, value_name = "DIR")]
    pub(crate) history: Option<PathBuf>,

    /// What a token is: whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR
    #[arg(long, value_name = "RULE", default_value = "whitespace")]
    pub(crate) tokens: TokenRule,

    /// Write the JSON Schema of report.json to standard output without measuring
    #[arg(long, exclusive = true)]
    pub(crate) schema: bool,

    /// No progress line
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
