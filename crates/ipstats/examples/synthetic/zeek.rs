//! The connections as a Zeek conn.log with the default columns, about 137 bytes a row.

use super::connections::{Connection, Connections};
use anyhow::Context;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const HEADER: &str = "#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\
\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\
\ttunnel_parents
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tcount\
\tstring\tcount\tcount\tcount\tcount\tset[string]
";

/// Writes them all to `path`.
pub(crate) fn write(connections: &Connections, path: &Path) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut log = BufWriter::with_capacity(1 << 20, file);
    log.write_all(HEADER.as_bytes())?;
    for block in 0..connections.blocks() {
        connections.block(block)?.try_for_each(|connection| row(&mut log, &connection))?;
    }
    log.write_all(b"#close\t2026-08-30-00-00-00\n")?;
    Ok(log.flush()?)
}

fn row(log: &mut impl Write, connection: &Connection) -> io::Result<()> {
    let Connection { device, ip, at, noise } = connection;
    let (port, micros) = (1024 + noise % 60_000, (noise >> 16) % 1_000_000);
    let (sent, received) = (100 + (noise >> 36) % 900, 1000 + (noise >> 46) % 90_000);
    writeln!(
        log,
        "{}.{micros:06}\tC{noise:016x}\t{device}\t{port}\t{ip}\t443\ttcp\tssl\t0.{micros:06}\t{sent}\t{received}\tSF\tT\tF\t0\
         \tShADadFf\t{}\t{}\t{}\t{}\t-",
        at.second(),
        1 + sent / 100,
        sent + 40,
        1 + received / 1400,
        received + 40,
    )
}
