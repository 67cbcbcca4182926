//! The shape of the machine that the figures belong to.

use super::Figure;
use std::fs;
use std::thread::available_parallelism;

/// Cores and memory; Linux says what they are.
pub(crate) fn shape() -> Vec<Figure> {
    let cores = available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    vec![
        Figure { what: "cores", value: format!("{cores} of {model}") },
        Figure { what: "memory", value: memory },
    ]
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
