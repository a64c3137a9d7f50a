//! What stands below the options in `--help`: examples first, a line each.
#![forbid(unsafe_code)]

pub(crate) const KEYMILL: &str = "\
Examples:
  keymill count book.txt                       words and how often, a table on a terminal
  keymill count --top 10 *.txt                 the ten most frequent
  keymill count -r logs --tokens 'field:2,,'   the second field of each line of all files below logs
  zcat a.gz | keymill count - | head           standard input; TSV in a pipe
  keymill datasets make zipf-30k --bytes 1GiB -o zipf.txt
  keymill devices                              SIMD levels and adapters of this machine
  keymill compare --quick --data book.txt      whether a GPU pays for this data, measured

Environment:
  KEYMILL_LEVEL   the SIMD level where --level names none
  KEYMILL_CACHE   the folder in which it is kept what devices cost; off: nowhere
  KEYMILL_SHADERS what devices run: base (WGSL's core), checked (what the device has beyond it; the
                  default) or unchecked (the same without checks, to measure what these cost)

Exit status: 0 done, 1 the job failed, 2 the command line is wrong, 130 interrupted.";

pub(crate) const COUNT: &str = "\
Examples:
  keymill count book.txt                       words and how often
  keymill count --tokens words --lowercase --top 20 book.txt
  zcat a.gz | keymill count --tokens lines -   standard input, which is read without a name, too
  keymill count -r logs --tokens 'field:2,,'   the second field of each line of all files below logs
  keymill count --tokens 'split:\\t' --sort key -o cells.parquet table.tsv
  keymill count --memory 256MiB --spill-dir /var/tmp -o counts.tsv.gz huge.txt.zst
  keymill count --device gpu --stats huge.txt  on a GPU, and what each stage did
  keymill count --explain book.txt             what runs where, and why
  keymill count --device cpu --level scalar --threads 2 --format tsv book.txt

Token rules:
  whitespace         between Unicode white space (the default)
  words              runs of Unicode alphabetic characters, marks and numbers
  lines              whole lines, which end with LF or CRLF
  split:SEPARATOR    between separators within each line; empty tokens count
  field:N,SEPARATOR  the N-th field of each line, counting from 1; a line without it is rejected
  A separator may hold \\t \\r \\0 \\\\ and \\xNN.

Formats:
  table    for people; without --top or --format, a terminal gets the first 40 rows
  tsv      key<TAB>count; tab, LF, CR and backslash in a key are \\t \\n \\r \\\\; no heading
  csv      RFC 4180 quotes, heading `key,count`
  json     one object a line; a key that is not UTF-8 is \"key_base64\"
  parquet  a binary and an unsigned column
  arrow    an Arrow IPC file

Environment:
  KEYMILL_LEVEL   the SIMD level where --level names none
  KEYMILL_CACHE   the folder in which it is kept what devices cost; off: nowhere
  KEYMILL_SHADERS what devices run: base (WGSL's core), checked (what the device has beyond it; the
                  default) or unchecked (the same without checks, to measure what these cost)";

pub(crate) const COMPARE: &str = "\
Examples:
  keymill compare                              seeded data, under five minutes
  keymill compare --quick                      the same in under 30 seconds
  keymill compare --quick --data access.log -o report
                                               writes report/report.json and report/report.md
  keymill compare --data cells.tsv --tokens 'split:\\t' > report.md
  keymill compare --schema                     what report.json looks like

Times are medians with the fastest and the slowest run; ways take turns. Software adapters are
labelled, and are neither counted as GPUs nor recommended.

Exit status: 1 also if ways answer differently; the report, which is written, names them.";

pub(crate) const DEVICES: &str = "\
Examples:
  keymill devices                              what jobs can run on; in a pipe a name a line
  keymill devices --all                        what is missing or refused, too, and why";

pub(crate) const DATASETS: &str = "\
Examples:
  keymill datasets                             names and what they are for
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
  keymill man count | man -l -                 one of its commands
  keymill man datasets make | man -l -         a command of a command";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use crate::args::Cli;

    /// The words of the part of an example that keymill sees.
    fn words(line: &str) -> Vec<String> {
        let shown = line.split("  ").next().unwrap_or_default();
        let own = shown.split('|').find(|part| part.contains("keymill "));
        let own = own
            .unwrap_or_default()
            .split('>')
            .next()
            .unwrap_or_default();
        own.split_whitespace()
            .map(|word| word.replace('\'', ""))
            .collect()
    }

    /// Every command but clap's own `help`, with the words that call it.
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
    fn every_command_has_examples_of_itself_that_can_be_typed() {
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
    fn the_examples_of_count_show_what_people_look_for() {
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
