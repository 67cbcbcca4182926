//! Bodies and heads that mean harm, sent to the real binary: each has a clear outcome, the service's peak of memory stays under
//! a bound, and afterwards it takes in logs and answers as before.
//!
//! What is measured is how far the resident memory rises above where it was before the attack (`VmHWM` of Linux, set back
//! before each). The bounds have room for an allocator's habits; what they rule out is memory that grows with the attack.

mod bombs;
mod records;
mod senders;

use crate::cli::model::{Answer, Model};
use crate::service::Service;
use crate::site::{NOW, Protocol, Site, status};
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Duration;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const MIB: usize = 1 << 20;
const JSON: &str = "Content-Type: application/json\r\n";
const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";

/// How much more memory may be in use at any moment, in MiB, while a body is read that is not kept.
const STREAMED_MIB_MAX: u64 = 32;

/// The same while small bodies are kept until they are whole: all of them at once take 32 MiB at most.
const SMALL_BODIES_MIB_MAX: u64 = 32 + STREAMED_MIB_MAX;

/// The same for a body of at most 32 MiB that is kept as a whole, in a buffer that grew to hold it.
const WHOLE_MIB_MAX: u64 = 160;

/// Longest wait for an answer.
const ANSWER_SECONDS_MAX: u64 = 120;

struct Target {
    site: Site,
    service: Service,
}

impl Target {
    fn new() -> Self {
        let site = Site::new();
        let mut command = site.serving();
        // Nobody reads what it says.
        command
            .env("IPSTATS_LOG_LEVEL", "warn")
            .env("IPSTATS_RATE_LIMITS", "off")
            .env("IPSTATS_MEMORY", "64 MiB");
        let service = Service::start(command);
        let target = Self { site, service };
        // What is allocated once, and for good, is.
        target.assert_well();
        target
    }

    /// What comes of `attack`; fails if memory rises by more than `mib_max` meanwhile.
    fn under<T>(&self, mib_max: u64, what: &str, attack: impl FnOnce() -> T) -> T {
        let process = format!("/proc/{}", self.service.id());
        fs::write(format!("{process}/clear_refs"), "5").unwrap();
        let kib = |name: &str| -> u64 {
            let status = fs::read_to_string(format!("{process}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let before = kib("VmRSS:");
        let outcome = attack();
        let rise = kib("VmHWM:").saturating_sub(before) / 1024;
        assert!(rise <= mib_max, "{what}: memory rose by {rise} MiB, {mib_max} MiB at most were expected");
        outcome
    }

    /// Sends the parts of a body; the status and the body of the answer. It may come before the end of the body.
    fn post(
        &self,
        path: &str,
        head: &str,
        parts: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.service.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX))).unwrap();
        stream.write_all(self.head(path, head).as_bytes()).unwrap();
        let mut whole = true;
        for part in parts {
            let part = part.as_ref();
            let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            whole = stream.write_all(&chunk).is_ok();
            if !whole {
                break;
            }
        }
        if whole {
            let _ = stream.write_all(b"0\r\n\r\n");
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (status(head), body.to_owned())
    }

    fn head(&self, path: &str, more: &str) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\
             Connection: close\r\n{more}\r\n",
            self.site.key()
        )
    }

    /// Logs are taken in, and questions answered.
    fn assert_well(&self) {
        let model = Model { connections: vec![("laptop".to_owned(), IP, NOW - 60)] };
        for protocol in Protocol::ALL {
            let (status, answer) = self.site.ingest_in(protocol, &self.service.address, &model).unwrap();
            assert!(status == 200 && protocol.is_success(&answer), "{protocol:?}: {status} {answer}");
        }
        let answers = self.site.answers(&self.service, &[IP]);
        assert_eq!(answers, [model.answer(IP, NOW, 720)]);
        assert_ne!(answers, [Answer::NotFound]);
    }
}

/// A megabyte of one byte, so many times.
fn megabytes(count: usize, byte: u8) -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_with(move || vec![byte; MIB]).take(count)
}
