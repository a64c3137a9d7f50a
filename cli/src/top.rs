//! `keymill top`: a view of a running stream.
#![forbid(unsafe_code)]

mod client;
mod frame;
#[cfg(feature = "top")]
mod live;
mod sample;

use std::io::{self, IsTerminal};

use keymill::Result;

use crate::args::TopArgs;
use crate::{exit, print};

/// Shows the stream that serves metrics at an address: live on a terminal, and one frame elsewhere.
pub(crate) fn run(args: &TopArgs) -> Result<i32> {
    if args.once || !io::stdout().is_terminal() {
        let sample = client::sample(&args.address)?;
        let lines = frame::lines(&args.address, &sample, None);
        let text: Vec<String> = lines.into_iter().map(|line| line.text + "\n").collect();
        return print(&text.concat()).map(|()| exit::DONE);
    }
    live(args)
}

#[cfg(feature = "top")]
fn live(args: &TopArgs) -> Result<i32> {
    live::run(args)
}

#[cfg(not(feature = "top"))]
fn live(_: &TopArgs) -> Result<i32> {
    let message = "this program was built without the live view; use --once, or install it again \
                   with `cargo install --path cli --features top`";
    Err(keymill::Error::new(keymill::ErrorKind::Config, message))
}
