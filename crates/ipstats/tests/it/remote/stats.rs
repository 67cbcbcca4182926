//! What `stats --server` prints.

use super::{about, error, run, with_tokens};
use crate::cli::{Place, ndjson};
use crate::site::{AS_OF, Site};
use std::thread;
use std::time::Duration;

const IPS: [&str; 5] = ["2001:db8:0::1", "192.0.2.1", "10.209.67.177", "not-an-ip", "203.0.113.7"];

/// A site with some connections in its data folder.
fn site() -> Site {
    let site = Site::new();
    let log = site.place.file(
        "log",
        ndjson(&[
            ("host-1", "10.209.67.177", "2017-07-30T13:36:06Z"),
            ("host-2", "10.209.67.177", "2017-08-28T09:00:00Z"),
            ("host-3", "203.0.113.7", "2017-08-02T10:00:00Z"),
            ("host-2", "2001:DB8::1", "2017-08-29T13:00:00Z"),
        ]),
    );
    assert_eq!(site.import(&log).code, Some(0));
    site
}

#[test]
fn a_service_and_its_data_folder_answer_alike() {
    let (site, mut remote) = (site(), Vec::new());
    let asked = |form: &'static str| [&["--look-back-hours", "48", "--format", form], &IPS[..]].concat();
    let service = site.serve();
    let url = format!("http://{}", service.address);
    for form in ["json", "csv"] {
        let done = site.ask(&[&["stats", "--server", &url], &asked(form)[..]].concat());
        assert_eq!((done.code, done.err.as_str()), (Some(1), ""), "one is no IP: {done:?}");
        remote.push(done.out.replace(&url, "http://127.0.0.1:8080"));
    }
    let table = site.ask(&[
        "stats",
        "--server",
        &url,
        "10.209.67.177",
        "203.0.113.7",
        "192.0.2.1",
        "--look-back-hours=48",
    ]);
    assert_eq!(table.code, Some(0), "{table:?}");
    insta::assert_snapshot!(table.out, @r"
    IP                DEVICES  FIRST SEEN            LAST SEEN
    10.209.67.177           1  2017-08-28T09:00:00Z  2017-08-28T09:00:00Z
    203.0.113.7             0  not within the look-back
    192.0.2.1               0  not in the last 30 days
    ");
    assert_eq!(service.stop().status.code(), Some(0));
    for (form, remote) in ["json", "csv"].into_iter().zip(remote) {
        let local = site.place.run(&[&["stats", "--as-of", AS_OF], &asked(form)[..]].concat());
        assert_eq!(local.out, remote, "{form}");
        assert_eq!(local.out.lines().count(), IPS.len() + usize::from(form == "csv"));
    }
}

#[test]
fn csv_has_a_line_for_every_ip_and_codes_for_what_has_no_answer() {
    let site = site();
    let ips = [&IPS[..], &["a,\"b\"\u{1b}"]].concat();
    let done = site.place.run(
        &[&["stats", "--as-of", AS_OF, "--format", "csv", "--look-back-hours", "48"], &ips[..]].concat(),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    insta::assert_snapshot!(done.out, @r#"
    ipAddress,orgPrevalence,orgFirstSeen,orgLastSeen,error
    2001:db8::1,1,2017-08-29T13:00:00Z,2017-08-29T13:00:00Z,
    192.0.2.1,0,,,ResourceNotFound
    10.209.67.177,1,2017-08-28T09:00:00Z,2017-08-28T09:00:00Z,
    not-an-ip,,,,InvalidIpAddress
    203.0.113.7,0,,,
    "a,""b""\u{1b}",,,,InvalidIpAddress
    "#);
}

#[test]
fn many_are_asked_at_once_and_answered_in_order() {
    // Earlier ones take longer.
    let server = with_tokens(3599, |request| {
        let last: u64 = request.line.split(['/', '.']).nth(6).unwrap().parse().unwrap();
        thread::sleep(Duration::from_millis(20 - last % 20));
        about(request, last)
    });
    let place = Place::new();
    let ips: Vec<_> = (0..400).map(|number| format!("10.0.{}.{}", number / 200, number % 200)).collect();
    let mut child = super::command(&place, &["stats", "--server", &server.url, "--json", "-"], &[])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), ips.join("\n"));
    let writer = thread::spawn(move || std::io::Write::write_all(&mut stdin, text.as_bytes()));
    let done = place.done(child);
    writer.join().unwrap().unwrap();
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let answered: Vec<_> = done.out.lines().map(|line| line.split('"').nth(7).unwrap()).collect();
    assert_eq!(answered, ips);
    assert_eq!(server.count("POST "), 1, "one token serves all");
}

#[test]
fn an_answer_comes_while_further_ips_are_awaited() {
    let server = with_tokens(3599, |request| about(request, 1));
    let place = Place::new();
    let mut child = super::command(&place, &["stats", "--server", &server.url, "--json", "-"], &[])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"10.0.0.1\n").unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.contains("10.0.0.1"), "{line}");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_wrong_about_one_ip_leaves_the_others() {
    let server = with_tokens(3599, |request| match request.line.split('/').nth(3).unwrap() {
        "10.0.0.1" => error(404, "", "ResourceNotFound"),
        "10.0.0.2" => error(500, "", "InternalServerError"),
        "10.0.0.3" => (
            200,
            String::new(),
            r#"{"ipAddress":"10.0.0.3","orgPrevalence":"7","orgFirstSeen":null}"#.to_owned(),
        ),
        _ => about(request, 2),
    });
    let done = run(
        &Place::new(),
        &["stats", "--server", &server.url, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
        &[],
    );
    assert_eq!((done.code, done.err.as_str()), (Some(1), ""));
    insta::assert_snapshot!(done.out, @r"
    IP                DEVICES  FIRST SEEN            LAST SEEN
    10.0.0.1                0  not in the last 30 days
    10.0.0.2                   it is said why
    10.0.0.3                7  not within the look-back
    10.0.0.4                2  2017-08-28T09:00:00Z  2017-08-29T13:32:59Z
    ");
}

#[test]
fn the_look_back_is_asked_for_and_the_permission_named() {
    let server = with_tokens(3599, |request| {
        if request.line.contains("?lookBackHours=24 ") {
            about(request, 1)
        } else {
            error(403, "", "Forbidden")
        }
    });
    let ask = |arguments: &[&str]| {
        run(&Place::new(), &[&["stats", "--server", &server.url], arguments].concat(), &[])
    };
    assert_eq!(ask(&["10.0.0.1", "--look-back-hours", "24"]).code, Some(0));
    let refused = ask(&["10.0.0.1"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("403") && refused.err.contains("Ip.Read.All"), "{refused:?}");
}
