//! The texts below the options in `--help`. Examples come first, one per line.
#![forbid(unsafe_code)]

pub(crate) const KEYMILL: &str = "\
Examples:
  keymill count book.txt                       count words; shows a table on a terminal
  keymill count --top 10 *.txt                 the ten most frequent words
  keymill count -r logs --tokens 'field:2,,'   the second field of each line of all files below logs
  zcat a.gz | keymill count - | head           standard input; TSV in a pipe
  keymill reduce visits.csv --key site --agg 'sum(count),mean(count)'   totals by a column
  keymill stream --from tcp://127.0.0.1:9999 --count --every 1s     a running word count
  keymill datasets make zipf-30k --bytes 1GiB -o zipf.txt
  keymill devices                              SIMD levels and adapters of this machine
  keymill compare --quick --data book.txt      measure whether a GPU is faster for this data

Environment:
  KEYMILL_LEVEL   the SIMD level, if --level is not given
  KEYMILL_CACHE   the folder for the measured costs of devices; off disables it
  KEYMILL_SHADERS the shaders of devices: base (core WGSL), checked (also the device's features; the
                  default) or unchecked (the same without run-time checks, to measure their cost)

Exit status: 0 done, 1 the job failed, 2 the command line is wrong, 130 interrupted.";

pub(crate) const STREAM: &str = "\
Examples:
  keymill stream --from tcp://127.0.0.1:9999 --count --every 100ms --mode complete --top 20
  keymill stream --from dir:in --count --every 50ms --to files:out --checkpoint ck
  keymill stream --from dir:in --columns site,count --key site --agg 'sum(count)' --checkpoint ck
  keymill stream --from dir:in --count --once --mode complete --to files:out --checkpoint ck
  keymill stream --from dir:in --count --every 1s --checkpoint ck --metrics 127.0.0.1:9464
  tail -f log | keymill stream --from stdin: --count --every 1s --per-epoch
  keymill stream --from dir:in --columns ts,id,t --key id --agg 'mean(t)' --time ts --window 10s --slide 5s
  keymill stream --from dir:in --count --to 'sqlite:words.db?table=words' --checkpoint ck

For the first example, type lines into `nc -lk 9999` in another terminal.

A query with a checkpoint continues where it ended, or was killed. An interrupt lets it finish what it
has received.

Exit status: 0 the input has ended, 1 the query failed, 2 the command line is wrong, 130 interrupted.";

pub(crate) const RUN: &str = "\
Examples:
  keymill run job.toml                         until the input ends, or until a signal

The keys of the file are the flags of `keymill stream`:

  name = \"words\"
  from = \"tcp://127.0.0.1:9999\"
  count = true
  every = \"100ms\"
  checkpoint = \"ck\"

  [[sink]]
  to = \"console:\"
  top = 20

  [[sink]]
  to = \"files:out\"
  format = \"csv\"

Paths are relative to the folder that the command runs in.";

pub(crate) const VALIDATE: &str = "\
Examples:
  keymill validate job.toml                    what the job would do, and its guarantee

Exit status: 0 the job could be started, 2 the file is wrong.";

pub(crate) const TOP: &str = "\
Examples:
  keymill top                                  of the stream that has `--metrics 127.0.0.1:9464`
  keymill top 127.0.0.1:9465 --once            one frame, as text

Press q to end the view. The stream goes on.";

#[cfg(feature = "kafka")]
pub(crate) const KAFKA: &str = "\
Examples:
  keymill kafka produce kafka://localhost:9092/lines < lines.txt
  keymill kafka consume kafka://localhost:9092/lines --until-end";

#[cfg(feature = "kafka")]
pub(crate) const KAFKA_PRODUCE: &str = "\
Examples:
  keymill kafka produce kafka://localhost:9092/lines < lines.txt
  echo 'Hello, World!' | keymill kafka produce kafka://localhost:9092/test_topic";

#[cfg(feature = "kafka")]
pub(crate) const KAFKA_TXN_LIST: &str = "\
Examples:
  keymill kafka txn list kafka://localhost:9092";

#[cfg(feature = "kafka")]
pub(crate) const KAFKA_TXN_ABORT: &str = "\
Examples:
  keymill kafka txn abort kafka://localhost:9092
  keymill kafka txn abort kafka://localhost:9092 --id keymill-visits";

#[cfg(feature = "kafka")]
pub(crate) const KAFKA_CONSUME: &str = "\
Examples:
  keymill kafka consume kafka://localhost:9092/lines --until-end
  keymill kafka consume kafka://localhost:9092/totals --committed --keys";

pub(crate) const CHECKPOINT: &str = "\
Examples:
  keymill checkpoint list ck                   its epochs
  keymill checkpoint verify ck                 reads every byte
  keymill checkpoint repair ck                 removes what is damaged
  keymill checkpoint export ck --format tsv    the running totals of the last committed epoch

No query may use the checkpoint meanwhile.";

pub(crate) const CHECKPOINT_LIST: &str = "\
Examples:
  keymill checkpoint list ck | tail -1         the last epoch";

pub(crate) const CHECKPOINT_VERIFY: &str = "\
Examples:
  keymill checkpoint verify ck || keymill checkpoint repair ck";

pub(crate) const CHECKPOINT_REPAIR: &str = "\
Examples:
  keymill checkpoint repair ck                 says what was removed";

pub(crate) const CHECKPOINT_EXPORT: &str = "\
Examples:
  keymill checkpoint export ck --format csv -o totals.csv";

pub(crate) const COUNT: &str = "\
Examples:
  keymill count book.txt                       count words
  keymill count --tokens words --lowercase --top 20 book.txt
  zcat a.gz | keymill count --tokens lines -   standard input, which is also the default
  keymill count -r logs --tokens 'field:2,,'   the second field of each line of all files below logs
  keymill count --tokens 'split:\\t' --sort key -o cells.parquet table.tsv
  keymill count --memory 256MiB --spill-dir /var/tmp -o counts.tsv.gz huge.txt.zst
  keymill count --device gpu --stats huge.txt  on a GPU, with metrics of each stage
  keymill count --explain book.txt             what runs where and why
  keymill count --device cpu --level scalar --threads 2 --format tsv book.txt

Token rules:
  whitespace         text between Unicode white space (the default)
  words              runs of Unicode alphabetic characters, marks and numbers
  lines              whole lines, which end with LF or CRLF
  split:SEPARATOR    text between separators within each line; empty tokens are counted
  field:N,SEPARATOR  the N-th field of each line, counted from 1; a line without it is rejected
  A separator may contain the escapes \\t \\r \\0 \\\\ and \\xNN.

Formats:
  table    for people; without --top or --format, a terminal shows the first 40 rows
  tsv      key<TAB>count; tab, LF, CR and backslash in a key are \\t \\n \\r \\\\; no heading
  csv      RFC 4180 quotes, heading `key,count`
  json     one object per line; a key that is not UTF-8 is \"key_base64\"
  parquet  a binary and an unsigned integer column
  arrow    an Arrow IPC file

Environment:
  KEYMILL_LEVEL   the SIMD level, if --level is not given
  KEYMILL_CACHE   the folder for the measured costs of devices; off disables it
  KEYMILL_SHADERS the shaders of devices: base (core WGSL), checked (also the device's features; the
                  default) or unchecked (the same without run-time checks, to measure their cost)";

pub(crate) const REDUCE: &str = "\
Examples:
  keymill reduce visits.csv --key site --agg 'sum(count),mean(count)'
  keymill reduce 'logs/*.csv.gz' --key site,day --agg count --sort 'count(*):desc' --top 10
  keymill reduce --no-header --delimiter ';' --columns station,t --key station \\
      --agg 'min(t),mean(t),max(t),count' --sort key --format tsv measurements.txt
  keymill reduce --columns id:text --null NA --bad-rows reject:bad.csv --key id --stats data.csv

Columns:
  The first line of each file names them; --no-header says that there is no such line. A type after a
  name (text, int, float, bool, date, timestamp, binary or decimal(PRECISION,SCALE)) replaces the type
  that fits the first values.

Bad rows:
  A row with too many or too few values, or with a value that is not of its column's type, ends the job.
  --bad-rows skip leaves such rows out and counts them; reject:FILE also writes them to a file.";

pub(crate) const SQL: &str = "\
Examples:
  keymill sql \"SELECT * FROM 'visits.csv' WHERE site = 'a.org'\"
  keymill sql \"SELECT site, sum(count) AS total FROM 'logs/*.csv.gz' GROUP BY site ORDER BY total DESC\"
  keymill sql --format csv \"SELECT year(day) AS y, count(*) FROM '-' GROUP BY y\" < visits.csv

One SELECT over one table: WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET, DISTINCT. Joins, subqueries and
window functions are refused.";

pub(crate) const COMPARE: &str = "\
Examples:
  keymill compare                              seeded data, under five minutes
  keymill compare --quick                      the same in under 30 seconds
  keymill compare --quick --data access.log -o report
                                               writes report/report.json and report/report.md
  keymill compare --data cells.tsv --tokens 'split:\\t' > report.md
  keymill compare --schema                     the JSON Schema of report.json

Times are medians, with the fastest and the slowest run. The ways to count are measured in turn.
Software adapters are labelled. They are not counted as GPUs and never recommended.

Exit status: 1 also if two ways give different answers; the report is written and names them.";

pub(crate) const DEVICES: &str = "\
Examples:
  keymill devices                              what jobs can run on; in a pipe one name per line
  keymill devices --all                        also what is missing or refused, and why";

pub(crate) const DATASETS: &str = "\
Examples:
  keymill datasets                             names and descriptions
  keymill datasets make zipf-30k --bytes 1GiB -o zipf.txt";

pub(crate) const DATASETS_LIST: &str = "\
Examples:
  keymill datasets list                        in a pipe: name<TAB>description";

pub(crate) const DATASETS_MAKE: &str = "\
Examples:
  keymill datasets make zipf-30k --bytes 1GiB -o zipf.txt
  keymill datasets make unique --bytes 64M | keymill count --top 3";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  keymill completions bash > ~/.local/share/bash-completion/completions/keymill
  keymill completions fish > ~/.config/fish/completions/keymill.fish";

pub(crate) const MAN: &str = "\
Examples:
  keymill man | man -l -                       keymill itself
  keymill man count | man -l -                 a command
  keymill man datasets make | man -l -         a subcommand";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use crate::args::Cli;

    /// Returns the arguments of keymill in an example.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        let shown = line.split("  ").next().unwrap_or_default();
        for letter in shown.chars().chain([' ']) {
            match (letter, quote) {
                (letter, Some(open)) if letter == open => quote = None,
                ('\'' | '"', None) => quote = Some(letter),
                ('<' | '>', None) => break,
                // Another program writes to keymill.
                ('|', None) if words.first().is_some_and(|it| it != "keymill") => words.clear(),
                ('|', None) => break,
                (' ', None) if word.is_empty() => {}
                (' ', None) => words.push(std::mem::take(&mut word)),
                (letter, _) => word.push(letter),
            }
        }
        words
    }

    /// Collects every command except clap's `help`, with its name and its help text.
    fn all(command: &Command, called: &str, into: &mut Vec<(String, String)>) {
        let help = command.get_after_help().map(ToString::to_string);
        into.push((called.to_owned(), help.unwrap_or_default()));
        for inner in command.get_subcommands() {
            if inner.get_name() != "help" {
                all(inner, &format!("{called} {}", inner.get_name()), into);
            }
        }
    }

    #[test]
    fn every_command_has_valid_examples() {
        let mut commands = Vec::new();
        all(&Cli::command(), "keymill", &mut commands);
        assert!(commands.len() >= 9, "{commands:?}");
        for (called, help) in &commands {
            let lines = help.strip_prefix("Examples:\n").unwrap_or_default();
            let examples: Vec<&str> = lines
                .lines()
                .take_while(|line| !line.is_empty())
                .map(|line| line.trim_start_matches("  "))
                .filter(|line| line.contains("keymill "))
                .collect();
            assert!(
                examples.iter().any(|line| line.contains(called.as_str())),
                "{called}: {help:?}"
            );
            for example in examples {
                let parsed = Cli::try_parse_from(words(example));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn the_examples_of_count_show_common_options() {
        let shown = super::COUNT.split("\n\n").next().unwrap_or_default();
        for option in [
            "--device gpu",
            "--stats",
            "--explain",
            " -r ",
            " -   ",
            " -o ",
        ] {
            assert!(shown.contains(option), "{option}");
        }
    }
}
