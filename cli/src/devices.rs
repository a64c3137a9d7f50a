//! `keymill devices`.
#![forbid(unsafe_code)]

use std::fmt::Write;

use crate::machine::level_of_environment;
use keymill::probe::{self, AdapterInfo};
use keymill::{Engine, Level, Result};
use keymill_report::model::Machine;

use crate::args::DevicesArgs;
use crate::{exit, output, size};

pub(crate) fn run(args: &DevicesArgs) -> Result<i32> {
    let adapters = probe::adapters();
    let text = if output::is_terminal(None) {
        for_people(args.all, &adapters)?
    } else {
        for_programs(args.all, &adapters)
    };
    crate::print(&text)?;
    Ok(exit::DONE)
}

/// Returns one line per level, then one per adapter. With `all`, also those that are missing or
/// refused, and the reason after a tab.
fn for_programs(all: bool, adapters: &[AdapterInfo]) -> String {
    let mut text = String::new();
    for level in Level::ALL {
        match (level.is_available(), all) {
            (true, false) => text += &format!("{level}\n"),
            (true, true) => text += &format!("{level}\tavailable\n"),
            (false, true) => text += &format!("{level}\tmissing: needs {}\n", level.requires()),
            (false, false) => {}
        }
    }
    for adapter in adapters {
        match (&adapter.refused, all) {
            (None, false) => text += &format!("{}\n", adapter.name),
            (_, true) => text += &format!("{}\t{}\n", adapter.name, verdict(adapter)),
            (Some(_), false) => {}
        }
    }
    text
}

fn verdict(adapter: &AdapterInfo) -> String {
    match (&adapter.refused, &adapter.passed_over) {
        (Some(why), _) => format!("refused: {why}"),
        (None, None) => "available".to_owned(),
        (None, Some(why)) => format!("available with shaders: {}, because {why}", adapter.shaders),
    }
}

fn for_people(all: bool, adapters: &[AdapterInfo]) -> Result<String> {
    let mut builder = Engine::builder();
    if let Some(level) = level_of_environment()? {
        builder = builder.level(level);
    }
    let engine = builder.build()?;
    let mut text = String::new();
    for level in Level::ALL {
        let remark = match level.is_available() {
            true if level == engine.level() => "available, used by default".to_owned(),
            true => "available".to_owned(),
            false => format!("missing: needs {}", level.requires()),
        };
        if all || level.is_available() {
            row(&mut text, level.name(), &remark);
        }
    }
    let machine = Machine::read();
    if let Some(name) = &machine.processor {
        row(&mut text, "processor", name);
    }
    row(&mut text, "threads", &machine.cores.to_string());
    for cache in &machine.caches {
        row(&mut text, &cache.name, &size::show(cache.bytes));
    }
    if let Some(bytes) = machine.memory_bytes {
        row(&mut text, "memory", &size::show(bytes));
    }
    let budget = size::show(engine.memory() as u64);
    row(&mut text, "budget", &format!("{budget} by default"));
    for adapter in adapters {
        row(&mut text, kind(adapter), &described(adapter));
    }
    if !cfg!(feature = "gpu") {
        row(&mut text, "gpu", "this build lacks the feature `gpu`");
    } else if adapters.iter().all(|adapter| adapter.is_software) {
        row(&mut text, "gpu", "none found");
    }
    row(&mut text, "jobs", &engine.explain_device());
    Ok(text)
}

/// Returns the kind of an adapter. Software is never called a GPU.
fn kind(adapter: &AdapterInfo) -> &'static str {
    match (adapter.is_software, adapter.interface) {
        (false, _) => "gpu",
        (true, "vulkan") => "software Vulkan",
        (true, _) => "software",
    }
}

fn described(adapter: &AdapterInfo) -> String {
    let AdapterInfo {
        name,
        interface,
        driver,
        ..
    } = adapter;
    let binding = size::show(adapter.binding_bytes);
    let verdict = verdict(adapter);
    let shaders = match &adapter.passed_over {
        // The verdict contains them.
        Some(_) => String::new(),
        None => format!("shaders: {}, ", adapter.shaders),
    };
    format!("{name} ({interface}, {driver}), {binding} per binding, {shaders}{verdict}")
}

fn row(text: &mut String, name: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name:<15}  {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_form_lists_level_names() {
        let names: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        assert_eq!(for_programs(false, &[]).lines().collect::<Vec<_>>(), names);
        assert_eq!(for_programs(true, &[]).lines().count(), Level::ALL.len());
    }

    #[test]
    fn every_adapter_has_a_line() {
        let adapters = probe::adapters();
        let sound = adapters.iter().filter(|it| it.refused.is_none()).count();
        let programs = for_programs(false, &adapters);
        assert_eq!(programs.lines().count(), Level::available().len() + sound);
        let people = for_people(true, &adapters).unwrap();
        for adapter in &adapters {
            assert!(people.contains(&adapter.name), "{people}");
        }
        let hardware = adapters.iter().any(|adapter| !adapter.is_software);
        let says_none = people.contains("none found");
        assert_eq!(says_none, cfg!(feature = "gpu") && !hardware, "{people}");
    }

    #[test]
    fn failed_shaders_are_shown_with_those_in_use() {
        for mut adapter in probe::adapters() {
            adapter.refused = None;
            adapter.shaders = probe::ShaderVariant::BASE;
            adapter.passed_over = Some("subgroups failed the self-test: 7, not 8".to_owned());
            let said =
                "available with shaders: base, because subgroups failed the self-test: 7, not 8";
            let adapters = [adapter];
            for text in [
                for_people(true, &adapters).unwrap(),
                for_programs(true, &adapters),
            ] {
                assert!(text.contains(said), "{text}");
            }
            // Without --all, the machine form has only names.
            assert!(!for_programs(false, &adapters).contains("self-test"));
        }
    }

    #[test]
    fn the_default_level_is_marked() {
        let text = for_people(true, &[]).unwrap();
        assert_eq!(text.matches("used by default").count(), 1);
        assert!(
            text.contains("budget") && text.contains("auto: cpu"),
            "{text}"
        );
    }
}
