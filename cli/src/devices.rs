//! `keymill devices`.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::fs;
use std::thread;

use keymill::{Engine, Level, Result};

use crate::args::DevicesArgs;
use crate::system::kibibytes_of;
use crate::{exit, output, size};

pub(crate) fn run(args: &DevicesArgs) -> Result<i32> {
    let text = if output::is_terminal(None) {
        for_people(args.all)?
    } else {
        for_programs(args.all)
    };
    crate::print(&text)?;
    Ok(exit::DONE)
}

/// One line per level; with `all`, what is behind the tab tells those that are missing.
fn for_programs(all: bool) -> String {
    let mut text = String::new();
    for level in Level::ALL {
        match (level.is_available(), all) {
            (true, false) => text += &format!("{level}\n"),
            (true, true) => text += &format!("{level}\tavailable\n"),
            (false, true) => text += &format!("{level}\tmissing: needs {}\n", level.requires()),
            (false, false) => {}
        }
    }
    text
}

fn for_people(all: bool) -> Result<String> {
    let engine = Engine::new()?;
    let mut text = String::new();
    for level in Level::ALL {
        let remark = match level.is_available() {
            true if level == engine.level() => {
                "available, used unless --level says otherwise".to_owned()
            }
            true => "available".to_owned(),
            false => format!("missing: needs {}", level.requires()),
        };
        if all || level.is_available() {
            row(&mut text, level.name(), &remark);
        }
    }
    if let Some(name) = processor_name() {
        row(&mut text, "processor", &name);
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    row(&mut text, "threads", &threads.to_string());
    for (name, bytes) in caches() {
        row(&mut text, &name, &size::show(bytes));
    }
    if let Some(bytes) = kibibytes_of("/proc/meminfo", "MemTotal") {
        row(&mut text, "memory", &size::show(bytes));
    }
    let budget = size::show(engine.memory() as u64);
    row(
        &mut text,
        "budget",
        &format!("{budget} unless --memory says otherwise"),
    );
    row(&mut text, "gpu", "no GPU stages in this build");
    Ok(text)
}

fn row(text: &mut String, name: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name:<10}  {value}");
}

fn processor_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The caches that hold data of the first processor, smallest first.
fn caches() -> Vec<(String, u64)> {
    let cache = |index: usize| {
        let read = |file: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}");
            fs::read_to_string(path)
                .map(|text| text.trim().to_owned())
                .ok()
        };
        Some((
            read("level")?,
            read("type")?,
            size::parse(&read("size")?).ok()?,
        ))
    };
    (0..8)
        .map_while(cache)
        .filter(|(_, kind, _)| kind != "Instruction")
        .map(|(level, _, bytes)| (format!("L{level}"), bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_the_levels_by_name() {
        let names: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        assert_eq!(for_programs(false).lines().collect::<Vec<_>>(), names);
        assert_eq!(for_programs(true).lines().count(), Level::ALL.len());
    }

    #[test]
    fn people_see_the_level_in_use() {
        let text = for_people(true).unwrap();
        assert_eq!(text.matches("used unless").count(), 1);
        assert!(text.contains("budget"));
    }
}
