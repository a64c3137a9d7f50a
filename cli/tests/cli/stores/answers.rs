//! Answers that a real server gives rarely, by a server of this test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::store::Input;
use crate::command::{Folder, text};

/// A request: its first line, its header Authorization and its body.
type Request = (String, String, String);

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut first, mut login, mut length) = (String::new(), String::new(), 0);
    stream
        .read_line(&mut first)
        .ok()
        .filter(|&bytes| bytes > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => login = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((
        first.trim().to_owned(),
        login,
        String::from_utf8(body).ok()?,
    ))
}

/// A server that answers `_bulk` by a function of the number of the request, and of its documents.
fn serve(
    answer: impl Fn(usize, usize) -> (u16, String) + Send + 'static,
) -> (String, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(request) = read(&mut stream) {
                let (status, body) = match request.0.contains("_bulk") {
                    true => {
                        number += 1;
                        answer(number, request.2.lines().count() / 2)
                    }
                    false => (200, "{}".to_owned()),
                };
                seen.lock().unwrap().push(request);
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                if stream
                    .get_mut()
                    .write_all((head + &body).as_bytes())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    (address, requests)
}

const DONE: &str = r#"{"errors":false,"items":[]}"#;

fn items(statuses: &[u16]) -> String {
    let items = statuses.iter().map(|status| {
        let error = r#","error":{"type":"rejected","reason":"queue is full"}"#;
        let error = if *status < 300 { "" } else { error };
        format!(r#"{{"index":{{"status":{status}{error}}}}}"#)
    });
    format!(
        r#"{{"errors":true,"items":[{}]}}"#,
        items.collect::<Vec<_>>().join(",")
    )
}

/// The same documents are sent again after 429, for all of them or for one.
#[test]
fn a_busy_server_gets_the_same_documents_again() {
    let (address, requests) = serve(|number, documents| match number {
        1 => (429, "busy".to_owned()),
        2 => {
            let mut statuses = vec![200; documents];
            statuses[documents - 1] = 429;
            (200, items(&statuses))
        }
        _ => (200, DONE.to_owned()),
    });
    let folder = Folder::new();
    let input = Input::new(&folder, 1);
    let url = format!("opensearch://me:secret@{address}/sites");
    let output = input.stream(&url, &["--mode", "update"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let says = text(&output.stderr);
    assert!(
        says.contains("paused, tries again") && says.contains("queue is full"),
        "{says}"
    );
    let requests = requests.lock().unwrap();
    let bulks: Vec<&Request> = requests
        .iter()
        .filter(|it| it.0.contains("_bulk"))
        .collect();
    assert_eq!(bulks[0].2, bulks[1].2);
    assert_eq!(bulks[1].2, bulks[2].2);
    assert_ne!(bulks[2].2, bulks[3].2);
    // `me:secret` in base64.
    assert!(requests.iter().all(|it| it.1 == "Basic bWU6c2VjcmV0"));
    assert!(
        bulks[0].2.starts_with(r#"{"index":{"_id":"#),
        "{}",
        bulks[0].2
    );
    assert!(
        bulks[0]
            .2
            .contains(r#""version":1,"version_type":"external_gte""#)
    );
}

/// A document that is there in a later version is another query's.
#[test]
fn a_later_version_ends_the_query() {
    let (address, _) = serve(|_, documents| {
        let mut statuses = vec![200; documents];
        statuses[3] = 409;
        (200, items(&statuses))
    });
    let folder = Folder::new();
    let input = Input::new(&folder, 1);
    let url = format!("elasticsearch://{address}/sites");
    let output = input.stream(&url, &["--mode", "update"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let says = text(&output.stderr);
    assert!(
        says.contains("has a later version of the document"),
        "{says}"
    );
}

/// The message of an answer that says no has no password, even where the server repeats it.
#[test]
fn a_refusal_ends_the_query() {
    let (address, _) = serve(|_, _| (401, "who are you?".to_owned()));
    let folder = Folder::new();
    let input = Input::new(&folder, 1);
    let url = format!("opensearch://{address}/sites");
    let more = ["--mode", "update", "--to-option", "api.key=s3cr3t-key"];
    let output = input.stream(&url, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let says = text(&output.stderr);
    assert!(
        says.contains("does not accept") && !says.contains("s3cr3t"),
        "{says}"
    );
}
