//! `keymill kafka`.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufWriter, Write};
use std::time::Duration;

use keymill::write::cannot_write;
use keymill::{Error, ErrorKind, Result};
use keymill_connectors::{KafkaLines, KafkaReader, KafkaSettings, KafkaTransactions};

use crate::args::{KafkaCommand, TxnCommand};
use crate::output::Output;
use crate::{exit, print};

/// How long a message is waited for before what was read is shown.
const WAIT: Duration = Duration::from_millis(100);

pub(crate) fn run(command: &KafkaCommand) -> Result<i32> {
    match command {
        KafkaCommand::Produce { url, option } => produce(settings(url, option)?)?,
        KafkaCommand::Consume {
            url,
            option,
            until_end,
            committed,
            keys,
            count,
        } => {
            let reader = KafkaReader::new(settings(url, option)?, *committed)?;
            match count {
                true => print(&counted(reader)?)?,
                false => consume(reader, *until_end, *keys)?,
            }
        }
        KafkaCommand::Txn { command } => print(&transactions(command)?)?,
    }
    Ok(exit::DONE)
}

/// A topic with settings.
pub(crate) fn settings(url: &str, options: &[(String, String)]) -> Result<KafkaSettings> {
    KafkaSettings::from_url(url).map(|settings| with(settings, options))
}

fn with(settings: KafkaSettings, options: &[(String, String)]) -> KafkaSettings {
    let options = options.iter();
    options.fold(settings, |settings, (name, value)| {
        settings.set(name, value)
    })
}

/// The transactional ids of keymill begin so, unless a setting says otherwise.
const OWN: &str = "keymill-";

fn transactions(command: &TxnCommand) -> Result<String> {
    let of = |url: &str, options: &[(String, String)]| {
        let cluster = KafkaSettings::from_cluster_url(url)?;
        Ok::<_, Error>(KafkaTransactions::new(with(cluster, options)))
    };
    let mut text = String::new();
    match command {
        TxnCommand::List { url, option } => {
            for it in of(url, option)?.list()? {
                text += &format!("{}\t{}\t{}\n", it.id, it.producer, it.state);
            }
        }
        TxnCommand::Abort { url, id, option } => {
            let cluster = of(url, option)?;
            let all = cluster.list()?;
            let open = all.iter().filter(|it| it.is_open());
            let wanted = open.filter(|it| match id {
                Some(id) => it.id == *id,
                None => it.id.starts_with(OWN),
            });
            for it in wanted {
                cluster.abort(&it.id)?;
                text += &format!("{}\n", it.id);
            }
        }
    }
    Ok(text)
}

fn produce(settings: KafkaSettings) -> Result<()> {
    let topic = KafkaLines::new(settings)?;
    let (mut input, mut line) = (io::stdin().lock(), Vec::new());
    let unreadable =
        |cause| Error::new(ErrorKind::Source, "cannot read standard input").with_source(cause);
    while input.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        topic.send(text.strip_suffix(b"\r").unwrap_or(text))?;
        line.clear();
    }
    topic.finish()
}

/// How many messages there are, and the bytes of their values.
fn counted(mut reader: KafkaReader) -> Result<String> {
    let (mut messages, mut bytes) = (0_u64, 0);
    let mut is_read = false;
    while !is_read {
        is_read = reader.next(WAIT, |_, value| {
            messages += 1;
            bytes += value.map_or(0, <[u8]>::len);
            Ok(())
        })?;
    }
    Ok(format!("{messages}\t{bytes}\n"))
}

fn consume(mut reader: KafkaReader, until_end: bool, keys: bool) -> Result<()> {
    let mut out = BufWriter::new(Output::open(None)?);
    let fail = |cause| cannot_write("the output", cause);
    loop {
        let mut is_idle = true;
        let is_read = reader.next(WAIT, |key, value| {
            is_idle = false;
            if keys {
                out.write_all(key.unwrap_or_default())
                    .and_then(|()| out.write_all(b"\t"))
                    .map_err(fail)?;
            }
            out.write_all(value.unwrap_or_default())
                .and_then(|()| out.write_all(b"\n"))
                .map_err(fail)
        })?;
        if is_idle {
            out.flush().map_err(fail)?;
        }
        if is_read && until_end {
            return out.flush().map_err(fail);
        }
    }
}
