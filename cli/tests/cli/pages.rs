//! What the commands say about themselves.

use crate::command::{run, stdout_of, text};

#[test]
fn help_has_examples() {
    for (arguments, first) in [
        (&["--help"][..], "keymill count book.txt"),
        (&["-h"], "keymill count book.txt"),
        (&["count", "--help"], "keymill count book.txt"),
        (&["compare", "--help"], "keymill compare "),
    ] {
        let help = stdout_of(arguments, b"");
        let expected = format!("Examples:\n  {first}");
        assert!(text(&help).contains(&expected), "{arguments:?}");
    }
}

#[test]
fn the_version_is_the_crate_s() {
    let version = stdout_of(&["--version"], b"");
    assert_eq!(
        text(&version),
        format!("keymill {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout_of(&["completions", shell], b"");
        assert!(text(&script).contains("datasets"), "{shell}");
    }
}

#[test]
fn man_pages_are_made_of_each_command() {
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
fn devices_lists_what_is_missing_when_asked() {
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
