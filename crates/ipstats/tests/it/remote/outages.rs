//! Servers that are busy, away or restarted: what is waited for, and for how long.

use super::{about, error, run, with_tokens};
use crate::cli::Place;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Counts calls.
fn times() -> impl Fn() -> usize + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move || count.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn a_quota_is_waited_for_as_long_as_the_server_asks() {
    let time = times();
    let server = with_tokens(3599, move |request| match time() {
        0 => error(429, "Retry-After: 2\r\n", "TooManyRequests"),
        _ => about(request, 1),
    });
    let started = Instant::now();
    let done = run(&Place::new(), &["stats", "--server", &server.url, "--json", "10.0.0.1"], &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(done.err, "note: the quota is used up: waiting 2 s\n");
    assert_eq!(server.count("GET "), 2);
}

#[test]
fn a_quota_that_lasts_longer_than_an_hour_is_not_waited_for() {
    let server = with_tokens(3599, |_| error(429, "Retry-After: 86400\r\n", "TooManyRequests"));
    let done = run(&Place::new(), &["stats", "--server", &server.url, "10.0.0.1"], &[]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("429") && done.err.contains("quota"), "{done:?}");
}

#[test]
fn a_busy_server_is_asked_again_and_given_up_in_time() {
    let time = times();
    let server = with_tokens(3599, move |request| match time() {
        0..=1 => error(503, "", "ServiceUnavailable"),
        _ => about(request, 1),
    });
    let done = run(&Place::new(), &["stats", "--server", &server.url, "--json", "10.0.0.1"], &[]);
    assert_eq!(done.code, Some(0), "{done:?}");

    let server = with_tokens(3599, |_| error(503, "", "ServiceUnavailable"));
    let done =
        run(&Place::new(), &["stats", "--server", &server.url, "10.0.0.1", "--retry-seconds", "2"], &[]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("503") && done.err.contains("--retry-seconds"), "{done:?}");
    // The server never recovers, so the command ends because it gave up.
    assert!((2..=8).contains(&server.count("GET ")), "{}", server.count("GET "));
}

#[test]
fn what_was_answered_before_the_end_is_printed() {
    let server = with_tokens(3599, |request| {
        if request.line.contains("10.0.0.3") {
            error(503, "", "ServiceUnavailable")
        } else {
            about(request, 1)
        }
    });
    let done = run(
        &Place::new(),
        &["stats", "--server", &server.url, "10.0.0.1", "10.0.0.2", "10.0.0.3", "--retry-seconds", "0"],
        &[],
    );
    assert_eq!(done.code, Some(1));
    let rows: Vec<_> = done.out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(rows, ["IP", "10.0.0.1", "10.0.0.2"]);
}

#[test]
fn a_server_that_is_away_is_named_with_the_reason() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let done = run(&Place::new(), &["stats", "--server", &url, "10.0.0.1", "--retry-seconds", "0"], &[]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(
        done.err.contains(&url) && done.err.contains("refused") && done.err.contains("no token"),
        "{done:?}"
    );
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    // It closes the first connections without a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut broken = 0;
        for mut stream in listener.incoming().map_while(Result::ok) {
            if broken < 2 {
                broken += 1;
                continue;
            }
            let mut head = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut head);
            let body = r#"{"ipAddress":"10.0.0.1","orgPrevalence":"1"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
            return broken;
        }
        broken
    });
    let done =
        run(&Place::new(), &["stats", "--server", &url, "--json", "10.0.0.1"], &[("IPSTATS_TOKEN", "ready")]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server.join().unwrap(), 2);
}
