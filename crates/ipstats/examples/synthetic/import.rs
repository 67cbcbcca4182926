//! The real `ipstats import` of the Zeek log, until it is durable and answerable.

use super::connections::{Connections, END};
use super::{Figure, zeek};
use anyhow::{Context, ensure};
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Writes the log into `folder` and imports it.
pub(crate) fn measure(connections: &Connections, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    // Examples lie in a folder of their own beside the binary.
    let own = env::current_exe().context("the path of this program is not known")?;
    let binary = own.ancestors().nth(2).unwrap_or(&own).join("ipstats");
    ensure!(
        binary.is_file(),
        "there is no {}: run `cargo build --release -p ipstats` first",
        binary.display()
    );

    let log = folder.join("conn.log");
    zeek::write(connections, &log)?;
    let bytes = std::fs::metadata(&log)?.len();
    let started = Instant::now();
    let output = Command::new(&binary)
        .args(["import", "--json", "--as-of", &END.to_string(), "--data-dir"])
        .arg(folder.join("imported"))
        .arg(&log)
        .output()
        .with_context(|| format!("{} does not start", binary.display()))?;
    let elapsed = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "import failed: {}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(summary.get("counted") == Some(&connections.rows.into()), "import says {summary}");

    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (rows, bytes) = (connections.rows as f64, bytes as f64);
    Ok(vec![Figure {
        what: "import of the Zeek log, durable and answerable",
        value: format!("{elapsed:.2} s for {:.2} GB, {:.2} M rows/s", bytes / 1e9, rows / elapsed / 1e6),
    }])
}
