//! TLS and SASL: HTTP servers and clients, and a real Kafka broker.
#![cfg(target_os = "linux")]

#[cfg(feature = "http")]
mod http {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::process::{Child, Command};
    use std::thread;
    use std::time::{Duration, Instant};

    use crate::command::{Folder, assert_fails, keymill, text};

    /// A query that is killed with this value.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Writes a certificate for 127.0.0.1 and its key.
    fn make_certificate(folder: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }

    fn server(folder: &Path) -> (Running, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut command = keymill();
        command.current_dir(folder);
        command.args([
            "stream",
            "--from",
            &format!("http-listen://127.0.0.1:{port}"),
        ]);
        command.args([
            "--from-option",
            "tls.cert=a.pem",
            "--from-option",
            "tls.key=a.key",
        ]);
        command.args([
            "--wal",
            "wal",
            "--columns",
            "key,count:int",
            "--json",
            "--key",
            "key",
        ]);
        command.args([
            "--agg",
            "sum(count)",
            "--mode",
            "complete",
            "--every",
            "50ms",
        ]);
        command.args(["--to", "files:out", "--checkpoint", "ck"]);
        let running = Running(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(10));
        }
        (running, port)
    }

    fn client(folder: &Path, port: u16, trusted: &str) -> Command {
        let mut command = keymill();
        command.current_dir(folder);
        command.args(["stream", "--from", "dir:in", "--count", "--available-now"]);
        command.args(["--to", &format!("https://127.0.0.1:{port}/ingest")]);
        command.args(["--to-option", &format!("tls.ca={trusted}.pem")]);
        command
    }

    #[test]
    fn results_go_from_one_query_to_another_by_https() {
        let folder = Folder::new();
        let here = folder.path("");
        make_certificate(&here, "a");
        make_certificate(&here, "b");
        fs::create_dir(folder.path("in")).unwrap();
        fs::write(folder.path("in/words"), "to be or not to be\n").unwrap();
        let (_server, port) = server(&here);
        // A client without TLS gets no answer, and does not disturb others.
        let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
        plain
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        // One that trusts another certificate sends nothing.
        let other = client(&here, port, "b").output().unwrap();
        let says = text(&other.stderr);
        assert_eq!(other.status.code(), Some(1), "{says}");
        assert!(says.contains("a certificate that is not trusted"), "{says}");
        let sent = client(&here, port, "a").output().unwrap();
        assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
        let part = folder.path("out/epoch=00000000/part-00000.tsv");
        let until = Instant::now() + Duration::from_secs(60);
        while !part.exists() {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(20));
        }
        let totals = fs::read_to_string(part).unwrap();
        assert_eq!(totals, "be\t2\nnot\t1\nor\t1\nto\t2\n");
        assert!(!folder.path("out/epoch=00000001").exists());
    }

    #[test]
    fn wrong_certificates_are_refused() {
        let folder = Folder::new();
        let here = folder.path("");
        make_certificate(&here, "a");
        make_certificate(&here, "b");
        fs::write(folder.path("none.pem"), "no certificate\n").unwrap();
        let path = |name: &str| folder.path(name).display().to_string();
        let listen = |options: &[String], says: &str| {
            let mut query = vec!["stream", "--from", "http-listen://127.0.0.1:0", "--count"];
            let ack = "ack=accepted".to_owned();
            for option in options.iter().chain([&ack]) {
                query.extend(["--from-option", option]);
            }
            assert_fails(&query, 2, &[says]);
        };
        let cert = |name: &str| format!("tls.cert={}", path(name));
        let key = |name: &str| format!("tls.key={}", path(name));
        listen(&[cert("a.pem")], "TLS needs both");
        listen(
            &[cert("a.pem"), key("b.key")],
            "are no certificate with its key",
        );
        listen(&[cert("none.pem"), key("a.key")], "cannot be read as PEM");
        listen(&[cert("a.pem"), key("missing")], "cannot be read as PEM");
        let ca = format!("tls.ca={}", path("none.pem"));
        let send = [
            "stream",
            "--from",
            "stdin:",
            "--count",
            "--to",
            "https://x/",
            "--to-option",
        ];
        assert_fails(
            &[&send[..], &[&ca]].concat(),
            2,
            &["has no certificates in PEM"],
        );
    }
}

#[cfg(feature = "kafka-tls")]
mod kafka {
    use crate::command::{Folder, keymill, run, text};
    use crate::kafka::succeeds;
    use crate::server::Server;

    #[test]
    fn a_broker_with_tls_and_passwords_is_read_and_written() {
        let Some(server) = Server::secure_kafka("a_broker_with_tls_and_passwords") else {
            return;
        };
        let trusted = format!("ssl.ca.location={}", server.certificate());
        let login = |mechanism: &str, password: &str| {
            [
                "security.protocol=SASL_SSL".to_owned(),
                format!("sasl.mechanism={mechanism}"),
                "sasl.username=alice".to_owned(),
                format!("sasl.password={password}"),
                "socket.timeout.ms=5000".to_owned(),
                trusted.clone(),
            ]
        };
        let url = |topic: &str| server.topic(topic);
        for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
            let login = login(mechanism, "secret");
            let options = |flag: &'static str| login.iter().flat_map(move |it| [flag, it]);
            let (lines, words) = (format!("in-{mechanism}"), format!("out-{mechanism}"));
            let mut produce = vec!["kafka", "produce"];
            let to = url(&lines);
            produce.push(&to);
            produce.extend(options("--option"));
            let produced = run(&produce, b"to be\nor not to be\n");
            assert_eq!(text(&produced.stderr), "");
            let folder = Folder::new();
            let mut query = keymill();
            query
                .args(["stream", "--from", &to])
                .args(options("--from-option"));
            query
                .args(["--to", &url(&words)])
                .args(options("--to-option"));
            query.args(["--count", "--available-now", "--guarantee", "exactly-once"]);
            succeeds(query.arg("--checkpoint").arg(folder.path("ck")));
            let from = url(&words);
            let mut consume = vec!["kafka", "consume", &from, "--until-end", "--keys"];
            consume.extend(options("--option"));
            let consumed = run(&consume, b"");
            let mut lines: Vec<&str> = text(&consumed.stdout).lines().collect();
            lines.sort_unstable();
            let expected = [
                "be\t{\"count\":2}",
                "not\t{\"count\":1}",
                "or\t{\"count\":1}",
            ];
            assert_eq!(lines[..3], expected);
        }
        check_transactions(&server, &url("words"), &login("PLAIN", "secret"));
        check_transactions(&server, &url("words"), &login("SCRAM-SHA-256", "secret"));
        // A wrong password and an unknown certificate reach nothing.
        let wrong = login("PLAIN", "guessed");
        let mut untrusted = login("PLAIN", "secret").to_vec();
        untrusted.pop();
        for login in [&wrong[..], &untrusted] {
            let from = url("in-PLAIN");
            let mut consume = vec!["kafka", "consume", &from, "--until-end"];
            consume.extend(login.iter().flat_map(|it| ["--option", it]));
            let refused = run(&consume, b"");
            assert_eq!(refused.status.code(), Some(1));
            assert_eq!(text(&refused.stdout), "");
            let mut list = vec!["kafka", "txn", "list", &server.url];
            list.extend(login.iter().flat_map(|it| ["--option", it]));
            let refused = run(&list, b"");
            assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
        }
    }

    /// Kills a query in its transaction, which is then listed and ended by these settings.
    fn check_transactions(server: &Server, out: &str, login: &[String]) {
        let folder = Folder::new();
        let input = folder.path("in");
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("a"), "to be\n").unwrap();
        let mut query = keymill();
        query.args(["stream", "--from", &format!("dir:{}", input.display())]);
        query.args(["--count", "--available-now", "--to", out]);
        query.args(login.iter().flat_map(|it| ["--to-option", it]));
        query.arg("--checkpoint").arg(folder.path("ck"));
        query.env("KEYMILL_TEST_KILL_AT", "prepared:0");
        assert_eq!(query.status().unwrap().code(), None);
        let txn = |what: &'static str, url: &str, login: &[String]| {
            let mut command = vec!["kafka", "txn", what, url];
            command.extend(login.iter().flat_map(|it| ["--option", it]));
            let done = run(&command, b"");
            assert_eq!(text(&done.stderr), "");
            text(&done.stdout).to_owned()
        };
        let is_open = |list: &str| list.lines().any(|line| line.ends_with("\tOngoing"));
        // The same without encryption.
        let without_tls: Vec<String> = login
            .iter()
            .filter(|it| !it.starts_with("ssl."))
            .map(|it| it.replace("SASL_SSL", "SASL_PLAINTEXT"))
            .collect();
        assert!(is_open(&txn("list", &server.url, login)));
        let list = txn("list", &server.url_without_tls(), &without_tls);
        assert!(is_open(&list), "{list}");
        let aborted = txn("abort", &server.url, login);
        assert!(aborted.starts_with("keymill-"), "{aborted}");
        let ended = |list: &str| !is_open(list);
        assert!(ended(&txn("list", &server.url, login)));
    }
}

#[cfg(all(feature = "kafka", not(feature = "kafka-tls")))]
#[test]
fn tls_to_kafka_is_refused_by_name_where_it_was_not_built() {
    let query = |option: &str| {
        let query = [
            "kafka",
            "consume",
            "kafka://127.0.0.1:1/x",
            "--until-end",
            "--option",
            option,
        ];
        crate::command::assert_fails(&query, 2, &[option, "--features kafka-tls"]);
    };
    query("security.protocol=SASL_SSL");
    query("sasl.mechanism=SCRAM-SHA-512");
    query("ssl.ca.location=ca.pem");
}
