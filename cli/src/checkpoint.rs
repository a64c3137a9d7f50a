//! `keymill checkpoint`.
#![forbid(unsafe_code)]

use std::path::Path;

use keymill::stream::checkpoint::{self, EpochInfo};
use keymill::write::Format;
use keymill::{Error, Result, shown_name};

use crate::args::{CheckpointCommand, ResultFormat};
use crate::output::{self, Output};
use crate::result::format_of_name;
use crate::{exit, print};

pub(crate) fn run(command: &CheckpointCommand) -> Result<i32> {
    match command {
        CheckpointCommand::List { folder } => list(folder),
        CheckpointCommand::Verify { folder } => verify(folder),
        CheckpointCommand::Repair { folder } => {
            let done = checkpoint::repair(folder)?;
            print(&lines(&done))?;
            Ok(exit::DONE)
        }
        CheckpointCommand::Export { folder, result } => export(folder, result),
    }
}

/// One line per epoch: its number, when it began, whether it is committed, the bytes of its delta and of
/// the snapshot after it.
fn list(folder: &Path) -> Result<i32> {
    let shown = |number: Option<u64>| number.map_or("-".to_owned(), |it| it.to_string());
    let line = |epoch: EpochInfo| {
        let committed = if epoch.is_committed {
            "committed"
        } else {
            "open"
        };
        let (delta, snapshot) = (shown(epoch.delta_bytes), shown(epoch.snapshot_bytes));
        let (number, began) = (epoch.epoch, shown(epoch.timestamp));
        format!("{number}\t{began}\t{committed}\t{delta}\t{snapshot}")
    };
    let epochs = checkpoint::list(folder)?.into_iter().map(line);
    print(&lines(&epochs.collect::<Vec<_>>()))?;
    Ok(exit::DONE)
}

fn verify(folder: &Path) -> Result<i32> {
    let problems = checkpoint::verify(folder)?;
    if problems.is_empty() {
        print(&format!("`{}` is whole\n", shown_name(folder)))?;
        return Ok(exit::DONE);
    }
    print(&lines(&problems))?;
    Ok(exit::FAILED)
}

fn export(folder: &Path, result: &ResultFormat) -> Result<i32> {
    let by_name = result.output.as_deref().and_then(format_of_name);
    let default = match output::is_terminal(result.output.as_deref()) {
        true => Format::Table,
        false => Format::Tsv,
    };
    let format = result.format.or(by_name).unwrap_or(default);
    let batches = checkpoint::export(folder)?;
    let mut output = Output::open(result.output.as_deref())?;
    {
        let mut writer = format.writer(&batches.schema(), &mut output)?;
        for batch in batches {
            writer.write(&batch?)?;
        }
        writer.finish()?;
    }
    output.commit()?;
    Ok::<_, Error>(exit::DONE)
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
