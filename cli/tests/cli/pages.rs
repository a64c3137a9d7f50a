//! Help texts, man pages, completions and lists.

use crate::command::{run, stdout_of, text};

/// `keymill kafka` and the commands below it.
const OF_KAFKA: usize = if cfg!(feature = "kafka") { 6 } else { 0 };

/// Returns the commands that a help text lists, except `help`.
fn commands_in(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").unwrap_or_default().1;
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Checks that a command and its subcommands have examples. Returns the number of commands.
fn has_examples(called: &[String], option: &str) -> usize {
    let mut arguments: Vec<&str> = called.iter().map(String::as_str).collect();
    arguments.push(option);
    let help = stdout_of(&arguments, b"");
    let expected = format!(
        "\nExamples:\n  {}",
        [&["keymill".to_owned()], called].concat().join(" ")
    );
    assert!(
        text(&help).contains(&expected),
        "{arguments:?}: {}",
        text(&help)
    );
    let below = commands_in(text(&help)).into_iter();
    let below = below.map(|name| has_examples(&[called, &[name]].concat(), option));
    1 + below.sum::<usize>()
}

#[test]
fn help_has_examples() {
    for option in ["--help", "-h"] {
        // keymill, its twelve commands and the subcommands of `datasets` and `checkpoint`; `kafka` has five.
        assert_eq!(has_examples(&[], option), 20 + OF_KAFKA);
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = stdout_of(&["--version"], b"");
    assert_eq!(
        text(&version),
        format!("keymill {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_contain_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout_of(&["completions", shell], b"");
        assert!(text(&script).contains("datasets"), "{shell}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    for (arguments, name) in [
        (&["man"][..], "keymill"),
        (&["man", "count"], "keymill\\-count"),
    ] {
        let page = stdout_of(arguments, b"");
        assert!(text(&page).contains(".SH NAME"), "{arguments:?}");
        assert!(text(&page).contains(name), "{arguments:?}: {}", text(&page));
    }
}

#[test]
fn a_man_page_has_a_title_and_a_synopsis() {
    for (arguments, title, line) in [
        (
            &["man"][..],
            ".TH KEYMILL 1 ",
            "\\fBkeymill\\fR [\\-h|\\-\\-help] [\\-V|\\-\\-version] COMMAND\n",
        ),
        (
            &["man", "count"],
            ".TH KEYMILL-COUNT 1 ",
            "[\\-\\-tokens RULE] [\\-\\-lowercase] ",
        ),
        (
            &["man", "count"],
            concat!("\"keymill ", env!("CARGO_PKG_VERSION"), "\""),
            "[\\-o|\\-\\-output FILE] ",
        ),
        (
            &["man", "count"],
            ".SH SYNOPSIS\n\\fBkeymill count\\fR [",
            "] [FILE]...\n",
        ),
        (
            &["man", "completions"],
            ".TH KEYMILL-COMPLETIONS 1 ",
            " SHELL\n",
        ),
    ] {
        let page = stdout_of(arguments, b"");
        let page = text(&page);
        assert!(
            page.contains(title) && page.contains(line),
            "{arguments:?}: {page}"
        );
    }
}

#[test]
fn datasets_are_listed_with_their_descriptions() {
    let list = stdout_of(&["datasets"], b"");
    assert_eq!(list, stdout_of(&["datasets", "list"], b""));
    let sets = keymill_datasets::all();
    let lines: Vec<String> = sets
        .iter()
        .map(|set| format!("{}\t{}", set.name, set.description))
        .collect();
    assert_eq!(text(&list).lines().collect::<Vec<_>>(), lines);
}

#[test]
fn devices_lists_missing_levels_with_all() {
    let here = stdout_of(&["devices"], b"");
    let all = stdout_of(&["devices", "--all"], b"");
    let available: Vec<&str> = text(&all)
        .lines()
        .filter_map(|line| line.strip_suffix("\tavailable"))
        .collect();
    assert_eq!(text(&here).lines().collect::<Vec<_>>(), available);
    assert!(
        text(&all)
            .lines()
            .any(|line| line.contains("\tmissing: needs "))
    );
    assert_eq!(run(&["devices"], b"").status.code(), Some(0));
}

/// Returns the man pages that a page refers to: `keymill\-datasets\-make(1)`.
fn pages_in(page: &str) -> Vec<String> {
    let page = page.replace("\\-", "-");
    let words = page.split(|c: char| c.is_whitespace() || c == ',');
    let names = words.filter_map(|word| word.strip_suffix("(1)")?.strip_prefix("keymill-"));
    names.map(str::to_owned).collect()
}

#[test]
fn every_referenced_man_page_exists() {
    let mut names = pages_in(text(&stdout_of(&["man"], b"")));
    let mut seen = 0;
    while let Some(name) = names.pop() {
        if name == "help" || name.ends_with("-help") {
            continue;
        }
        seen += 1;
        let page = stdout_of(&["man", &name], b"");
        let words: Vec<&str> = ["man"].into_iter().chain(name.split('-')).collect();
        assert_eq!(stdout_of(&words, b""), page, "{name}");
        let title = format!(".TH KEYMILL-{} 1 ", name.to_uppercase());
        assert!(text(&page).contains(&title), "{name}: {}", text(&page));
        names.extend(pages_in(text(&page)));
    }
    // The twelve commands and the subcommands of `datasets` and `checkpoint`.
    assert_eq!(seen, 19 + OF_KAFKA);
    for words in [
        &["man", "datasets-"][..],
        &["man", "datasets", "m"],
        &["man", "datasetsmake"],
    ] {
        assert_eq!(run(words, b"").status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn the_options_of_streams_are_in_groups() {
    let help = stdout_of(&["stream", "--help"], b"");
    let help = text(&help);
    let option = "\n      --";
    let options_of = |heading: &str| {
        let after = help.split_once(&format!("\n{heading}:\n")).unwrap().1;
        let options = after.split("\n\n").take_while(|it| it.starts_with("  "));
        let options: Vec<&str> = options.collect();
        format!("\n{}", options.join("\n"))
    };
    for (heading, wanted) in [
        ("Source", "from"),
        ("Groups", "count"),
        ("Windows", "watermark"),
        ("Epochs", "every"),
        ("Sink", "to"),
        ("Sink", "mode"),
        ("Recovery", "checkpoint"),
        ("Reports", "metrics"),
        ("Machine", "memory"),
    ] {
        let options = options_of(heading);
        assert!(
            options.contains(&format!("{option}{wanted} "))
                || options.contains(&format!("{option}{wanted}\n")),
            "{heading}: {options}"
        );
    }
    // Only the help is without a group.
    assert_eq!(options_of("Options").matches("--").count(), 1, "{help}");
}
