//! The examples of `docs/api.md`: those marked `run` are run as they stand, against the real binary, and print what the
//! documentation says they print.

use super::{IP, site};
use crate::cli::CONTOSO;
use crate::peer;
use crate::site::Site;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Where the documentation says the service is.
const DOCUMENTED_URL: &str = "https://ipstats.example.org";

/// An example that is run, and what it prints.
struct Example {
    language: String,
    code: String,
    output: String,
}

/// The fenced blocks of the documentation: what stands behind the opening fence, and what is inside.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let code: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((info, code.join("\n") + "\n"));
        }
    }
    blocks
}

fn examples() -> Vec<Example> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let text = fs::read_to_string(file).unwrap();
    let blocks = blocks(&text);
    let runnable = blocks.iter().enumerate().filter_map(|(at, (info, code))| {
        let language = info.strip_suffix(" run")?.to_owned();
        let (info, output) = &blocks[at + 1];
        assert!(info.ends_with(" output"), "{language} example without its output:\n{code}");
        Some(Example { language, code: code.clone(), output: output.clone() })
    });
    runnable.collect()
}

/// What the example prints at `url`, as the documentation shows it.
fn run(mut command: Command, site: &Site, url: &str) -> String {
    let variables = [
        ("URL", url),
        ("TENANT", CONTOSO),
        ("CLIENT_ID", site.client_id),
        ("CLIENT_SECRET", site.secret()),
        ("INGEST_KEY", site.key()),
    ];
    let output = command.envs(variables).current_dir(site.place.path("")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.replace(url, DOCUMENTED_URL).trim_end().to_owned() + "\n"
}

/// A Zeek log of three connections, which the site knows already.
fn conn_log() -> Vec<u8> {
    let header =
        "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n";
    let line = |time: &str, device: &str, ip: &str| format!("{time}\t{device}\t50000\t{ip}\t443\ttcp\tSF\n");
    let lines = [
        line("1503997200.5", "192.168.1.1", IP),
        line("1504013579.0", "192.168.1.2", IP),
        line("1503223200.0", "192.168.1.2", "203.0.113.77"),
    ];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all((header.to_owned() + &lines.concat()).as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[test]
#[ignore = "needs .ci/peers/msal.sh"]
fn examples_for_a_shell_do_what_they_say() {
    let examples: Vec<_> = examples().into_iter().filter(|example| example.language == "sh").collect();
    assert_eq!(examples.len(), 2, "curl: a question, and a log");
    peer::require("msal", Command::new("curl").arg("--version").output().is_ok());
    let site = site();
    site.place.file("conn.log.gz", conn_log());
    let service = site.serve();
    for example in examples {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &example.code]);
        let printed = run(shell, &site, &format!("http://{}", service.address));
        assert_eq!(printed, example.output, "{}", example.code);
    }
}

#[test]
#[ignore = "needs .ci/peers/msal.sh"]
fn examples_for_python_do_what_they_say() {
    let examples: Vec<_> = examples().into_iter().filter(|example| example.language == "python").collect();
    assert_eq!(examples.len(), 2, "with the standard library, and with requests");
    // Its Python has requests.
    let place = peer::installed("msal", "get_token.py");
    let site = site();
    let service = site.serve();
    for example in examples {
        let mut python = Command::new(place.join("venv/bin/python"));
        python.args(["-c", &example.code]);
        let printed = run(python, &site, &format!("http://{}", service.address));
        assert_eq!(printed, example.output, "{}", example.code);
    }
}
