//! The engine of a command: level, threads, memory, device.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;

use keymill::shown_name;
use keymill::{Engine, Error, ErrorKind, Level, Result, Shaders};

use crate::args::MachineArgs;
use crate::size;

/// Returns the level of the variable `KEYMILL_LEVEL`, if it is set.
pub(crate) fn level_of_environment() -> Result<Option<Level>> {
    const VARIABLE: &str = "KEYMILL_LEVEL";
    match std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
        Some(name) => {
            let level = name.to_string_lossy().parse::<Level>();
            level
                .map(Some)
                .map_err(|cause| Error::new(ErrorKind::Config, VARIABLE).with_source(cause))
        }
        None => Ok(None),
    }
}

/// Creates the engine of a command.
pub(crate) fn engine(args: &MachineArgs) -> Result<Engine> {
    let mut builder = Engine::builder().device(args.device.clone());
    if let Some(level) = args
        .level
        .map_or_else(level_of_environment, |it| Ok(Some(it)))?
    {
        builder = builder.level(level);
    }
    if let Some(threads) = args.threads {
        builder = builder.threads(threads);
    }
    if let Some(memory) = args.memory {
        builder = builder.memory(memory);
    }
    if let Some(folder) = &args.spill_dir {
        builder = builder.spill_dir(folder);
    }
    if let Some(file) = device_cache() {
        builder = builder.device_cache(file);
    }
    if let Some(shaders) = shaders()? {
        builder = builder.shaders(shaders);
    }
    builder.build()
}

/// Returns a remark if the job uses more memory or fewer threads than requested.
pub(crate) fn adjusted(args: &MachineArgs, engine: &Engine) -> Option<String> {
    let (memory, threads) = (engine.memory(), engine.threads());
    let asked_memory = args.memory.filter(|&asked| asked < memory).map(|asked| {
        let (least, asked) = (size::show(memory as u64), size::show(asked as u64));
        format!("memory is {least}, the minimum, not {asked}")
    });
    let asked_threads = args.threads.or_else(|| {
        let all = thread::available_parallelism().ok()?;
        Some(all.get())
    });
    let asked_threads = asked_threads
        .filter(|&asked| asked > threads)
        .map(|asked| format!("threads: {threads}, not {asked}, as each needs 10 MiB of memory"));
    let said: Vec<String> = asked_memory.into_iter().chain(asked_threads).collect();
    (!said.is_empty()).then(|| format!("keymill: {}", said.join("; ")))
}

/// Returns the value of `KEYMILL_SHADERS`, if it is set.
pub(crate) fn shaders() -> Result<Option<Shaders>> {
    let Some(name) = set("KEYMILL_SHADERS") else {
        return Ok(None);
    };
    let wrong = |cause: Error| {
        let message = format!("KEYMILL_SHADERS={}", shown_name(&name));
        Error::new(ErrorKind::Config, message).with_source(cause)
    };
    name.to_string_lossy().parse().map(Some).map_err(wrong)
}

/// Returns an environment variable that is set and not empty.
pub(crate) fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|it| !it.is_empty())
}

/// Returns the file that caches the costs of devices. It is in the user's cache folder, unless
/// `KEYMILL_CACHE` names another folder or is `off`.
pub(crate) fn device_cache() -> Option<PathBuf> {
    let folder = match set("KEYMILL_CACHE") {
        Some(off) if off == "off" => return None,
        Some(folder) => PathBuf::from(folder),
        None if cfg!(windows) => PathBuf::from(set("LOCALAPPDATA")?).join("keymill"),
        None if cfg!(target_os = "macos") => {
            PathBuf::from(set("HOME")?).join("Library/Caches/keymill")
        }
        None => match set("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder).join("keymill"),
            None => PathBuf::from(set("HOME")?).join(".cache/keymill"),
        },
    };
    Some(folder.join("devices"))
}

/// Adds the options that run the job without the missing device.
pub(crate) fn with_device(error: Error) -> Error {
    if error.kind() != ErrorKind::Device {
        return error;
    }
    let advice = "`keymill devices --all` lists adapters; --device cpu or auto runs without one";
    Error::new(error.kind(), format!("{error}; {advice}"))
}
