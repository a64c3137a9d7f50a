//! The arguments of `keymill kafka`.
#![forbid(unsafe_code)]

use clap::Subcommand;

use super::parse_option;
use crate::help;

#[derive(Debug, Subcommand)]
pub(crate) enum KafkaCommand {
    /// Write each line of standard input as a message
    #[command(after_help = help::KAFKA_PRODUCE)]
    Produce {
        /// The topic: kafka://HOST:PORT/TOPIC
        url: String,
        /// A setting of librdkafka
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
        option: Vec<(String, String)>,
    },
    /// Write the value of each message as a line, from the first message on
    #[command(after_help = help::KAFKA_CONSUME)]
    Consume {
        /// The topic: kafka://HOST:PORT/TOPIC
        url: String,
        /// A setting of librdkafka
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
        option: Vec<(String, String)>,
        /// End after the last message that is there
        #[arg(long)]
        until_end: bool,
        /// Only messages of committed transactions
        #[arg(long)]
        committed: bool,
        /// Write the key, a tab and the value
        #[arg(long)]
        keys: bool,
        /// Write only how many messages there are, a tab, and how many bytes their values have
        #[arg(long, requires = "until_end", conflicts_with = "keys")]
        count: bool,
    },
    /// List transactions, or abort those that were left open
    #[command(after_help = help::KAFKA_TXN_LIST)]
    Txn {
        #[command(subcommand)]
        command: TxnCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TxnCommand {
    /// Write each transactional id, the number of its producer and its state
    #[command(after_help = help::KAFKA_TXN_LIST)]
    List {
        /// The cluster: kafka://HOST:PORT
        url: String,
        /// A setting of librdkafka
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
        option: Vec<(String, String)>,
    },
    /// End open transactions of keymill, and write their ids; a query that still writes ends with an error
    #[command(after_help = help::KAFKA_TXN_ABORT)]
    Abort {
        /// The cluster: kafka://HOST:PORT
        url: String,
        /// Only this transactional id, also one of another program
        #[arg(long)]
        id: Option<String>,
        /// A setting of librdkafka
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
        option: Vec<(String, String)>,
    },
}
