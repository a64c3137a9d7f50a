//! What a stream is, whether flags or a job file describe it.
#![forbid(unsafe_code)]

use crate::args::{SinkArgs, SourceArgs, StreamArgs, of_place};

/// A stream: its sources and sinks with their URLs, and everything else.
#[derive(Debug)]
pub(crate) struct StreamPlan {
    pub(crate) sources: Vec<(String, SourceArgs)>,
    pub(crate) sinks: Vec<(String, SinkArgs)>,
    pub(crate) args: StreamArgs,
}

impl StreamPlan {
    /// The stream of these arguments, with more sources and sinks that have arguments of their own.
    /// Without any sink, the console is the sink.
    pub(super) fn new(args: StreamArgs, sources: Vec<SourceArgs>, sinks: Vec<SinkArgs>) -> Self {
        let sources = [&args.source].into_iter().chain(&sources);
        let sources = sources
            .flat_map(|it| it.from.iter().enumerate().map(|place| source_of(it, place)))
            .collect();
        let sinks = [&args.sink].into_iter().chain(&sinks);
        let mut sinks: Vec<_> = sinks
            .flat_map(|it| it.to.iter().enumerate().map(|place| sink_of(it, place)))
            .collect();
        if sinks.is_empty() {
            sinks.push(("console:".to_owned(), args.sink.clone()));
        }
        Self {
            sources,
            sinks,
            args,
        }
    }
}

/// One of the sources, with its own settings.
fn source_of(args: &SourceArgs, (number, url): (usize, &String)) -> (String, SourceArgs) {
    let mut own = args.clone();
    own.from_option = of_place(&args.from_option, &args.option_places, number);
    (url.clone(), own)
}

/// One of the sinks, with its own settings.
pub(super) fn sink_of(args: &SinkArgs, (number, url): (usize, &String)) -> (String, SinkArgs) {
    let mut own = args.clone();
    own.to_option = of_place(&args.to_option, &args.option_places, number);
    (url.clone(), own)
}

impl From<StreamArgs> for StreamPlan {
    fn from(args: StreamArgs) -> Self {
        Self::new(args, Vec::new(), Vec::new())
    }
}
