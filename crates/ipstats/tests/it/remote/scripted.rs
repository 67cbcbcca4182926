//! A server that answers as a test wants, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method, path and query.
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// Answers one request a connection, each on a thread of its own, until it is dropped.
pub(crate) struct Scripted {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

/// Status line, further headers and body.
pub(crate) type Script = dyn Fn(&Request) -> (u16, String, String) + Send + Sync;

impl Scripted {
    pub(crate) fn new(script: impl Fn(&Request) -> (u16, String, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, over) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let (script, memory, end) =
            (Arc::<Script>::from(Box::new(script) as Box<Script>), asked.clone(), over.clone());
        let listening = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (script, memory) = (Arc::clone(&script), Arc::clone(&memory));
                thread::spawn(move || answer(&stream, &*script, &memory));
            }
        });
        Self { url, asked, over, listening: Some(listening) }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// How often a path was asked for that begins so.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.asked().iter().filter(|request| request.line.starts_with(line)).count()
    }
}

fn answer(mut stream: &TcpStream, script: &Script, memory: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // A client that gives up is not this server's business.
    let Ok(request) = read(&mut reader) else { return };
    memory.lock().unwrap().push(request.clone());
    let (status, headers, body) = script(&request);
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    let _ = stream.write_all(text.as_bytes());
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Request> {
    let (mut line, mut headers) = (String::new(), String::new());
    reader.read_line(&mut line)?;
    while !headers.ends_with("\r\n\r\n") && !headers.starts_with("\r\n") {
        if reader.read_line(&mut headers)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    headers = headers.to_ascii_lowercase();
    let header = |name: &str| headers.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mut body = Vec::new();
    if let Some(length) = header("content-length:") {
        reader.take(length.parse().unwrap()).read_to_end(&mut body)?;
    } else if header("transfer-encoding:") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = Vec::new();
            reader.take(size + 2).read_to_end(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    Ok(Request { line: line.trim().to_owned(), headers, body })
}

impl Request {
    /// A field of the form in the body.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let body = String::from_utf8(self.body.clone()).unwrap();
        let mut fields = body.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/"))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it, so that it sees that it is over.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}
