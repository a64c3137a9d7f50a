//! Stores that are reached by TLS, through a server of TLS in front of the real one.

use std::process::Output;

use super::secrets::{PASSWORD, shows_no_password};
use super::store::{Input, Store};
use super::tls::{Authority, Proxy, no_certificate, trusting};
use crate::command::{Folder, assert_fails, text};

/// Runs a query that has a password in its URL, and shows it nowhere.
fn query(input: &Input<'_>, url: &str, options: &[&str]) -> Output {
    let mut query = input.stream(url, &["--mode", "update"]);
    query.args(options.iter().flat_map(|it| ["--to-option", it]));
    shows_no_password(&mut query)
}

fn ends(output: &Output, says: &[&str]) {
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(says.iter().all(|it| shown.contains(it)), "{shown}");
}

/// A query that a server gets nothing from, because its certificate is refused.
fn is_refused(output: &Output, why: &str) {
    ends(output, &["shows a certificate that is not trusted", why]);
}

/// The settings of a client with a certificate.
fn identity(folder: &Folder, cert: &str, key: &str) -> [String; 2] {
    [
        format!("tls.cert={}", folder.name(cert)),
        format!("tls.key={}", folder.name(key)),
    ]
}

/// Totals arrive by HTTPS, and only where the certificate is the one that is expected.
fn by_https(kind: &'static str, scheme: &str, is_there: impl Fn(&Store, &str) -> bool) {
    let Some(store) = Store::shared(kind) else {
        return;
    };
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "server", &["127.0.0.1"]);
    authority.issue(&folder, "elsewhere", &["elsewhere.example"]);
    Authority::new(&folder, "other");
    let server = Proxy::new(&store.server.address, &folder, "server");
    let elsewhere = Proxy::new(&store.server.address, &folder, "elsewhere");
    let place = store.place("by-https");
    let url = |proxy: &Proxy| format!("{scheme}://me:{PASSWORD}@{}/{place}", proxy.address);
    let input = Input::new(&folder, 2);

    let other = query(&input, &url(&server), &[&trusting(&folder, "other")]);
    is_refused(&other, "UnknownIssuer");
    is_refused(
        &query(&input, &url(&server), &["tls=true"]),
        "UnknownIssuer",
    );
    let trusted = trusting(&folder, "authority");
    is_refused(&query(&input, &url(&elsewhere), &[&trusted]), "127.0.0.1");
    assert!(!is_there(&store, &place));

    // The same query, which has learned whom to trust.
    let output = query(&input, &url(&server), &[&trusted]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(is_there(&store, &place));
    assert_eq!(store.counts(&place), input.totals());
}

#[test]
fn opensearch_by_https() {
    by_https("opensearch", "opensearch", |store, place| {
        store.http("GET", &format!("/{place}"), "").0 == 200
    });
}

/// Elasticsearch has the same interface, and its own name.
#[test]
fn elasticsearch_by_https() {
    by_https("opensearch", "elasticsearch", |store, place| {
        store.http("GET", &format!("/{place}"), "").0 == 200
    });
}

/// A server that asks for a certificate of the client.
#[test]
fn clients_show_certificates() {
    let Some(store) = Store::shared("opensearch") else {
        return;
    };
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "server", &["127.0.0.1"]);
    authority.issue(&folder, "client", &[]);
    Authority::new(&folder, "other").issue(&folder, "stranger", &[]);
    let server = Proxy::strict(&store.server.address, &folder, "server", "authority");
    let place = store.place("strict");
    let url = format!("opensearch://{}/{place}", server.address);
    let input = Input::new(&folder, 2);
    let trusted = trusting(&folder, "authority");
    let refusal = "does not accept the certificate of this client";
    ends(&query(&input, &url, &[&trusted]), &[refusal]);
    let [cert, key] = identity(&folder, "stranger.pem", "stranger.key");
    ends(&query(&input, &url, &[&trusted, &cert, &key]), &[refusal]);
    let [cert, key] = identity(&folder, "client.pem", "client.key");
    let output = query(&input, &url, &[&trusted, &cert, &key]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(store.counts(&place), input.totals());
}

#[test]
fn keys_belong_to_certificates() {
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "client", &[]);
    authority.issue(&folder, "server", &[]);
    let [cert, key] = identity(&folder, "client.pem", "client.key");
    let [_, other] = identity(&folder, "server.pem", "server.key");
    let [_, none] = identity(&folder, "client.pem", "client.pem");
    for url in [
        "opensearch://h:1/x",
        "hbase://h:1/x",
        "rediss://h:1/x",
        "https://h:1/x",
    ] {
        // Redis learns it when it connects.
        let keys = if url.starts_with("redis") {
            vec![&none]
        } else {
            vec![&none, &other]
        };
        for key in keys {
            let query = ["stream", "--from", "stdin:", "--count", "--to", url];
            let options = ["--to-option", &cert, "--to-option", key];
            assert_fails(&[&query[..], &options].concat(), 2, &["key"]);
        }
        for option in [&cert, &key] {
            let query = ["stream", "--from", "stdin:", "--count", "--to", url];
            let query = [&query[..], &["--to-option", option]].concat();
            assert_fails(&query, 2, &["needs both `tls.cert` and `tls.key`"]);
        }
    }
}

#[test]
fn hbase_by_https() {
    by_https("hbase", "hbase", |store, place| {
        store.http("GET", &format!("/{place}/schema"), "").0 == 200
    });
}

#[test]
fn redis_by_tls() {
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "server", &["127.0.0.1"]);
    authority.issue(&folder, "client", &[]);
    Authority::new(&folder, "other");
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let options = format!(
        "--requirepass {PASSWORD} --tls-port {port} --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {} \
         --tls-auth-clients yes",
        folder.name("server.pem"),
        folder.name("server.key"),
        folder.name("authority.pem")
    );
    let Some(store) = Store::own("redis", &[("KEYMILL_REDIS_OPTIONS", &options)]) else {
        return;
    };
    let url = format!("rediss://:{PASSWORD}@127.0.0.1:{port}/tls");
    let input = Input::new(&folder, 2);
    let keys = || -> u64 {
        let mut connection = store.redis(Some(PASSWORD));
        redis::cmd("DBSIZE").query(&mut connection).unwrap()
    };
    is_refused(
        &query(&input, &url, &[&trusting(&folder, "other")]),
        "UnknownIssuer",
    );
    is_refused(&query(&input, &url, &[]), "UnknownIssuer");
    assert_eq!(keys(), 0);
    let trusted = trusting(&folder, "authority");
    let [cert, key] = identity(&folder, "client.pem", "client.key");
    let output = query(&input, &url, &[&trusted, &cert, &key]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(keys(), input.totals().len() as u64 + 1);
}

#[test]
fn files_without_certificates_are_refused() {
    let folder = Folder::new();
    let none = no_certificate(&folder);
    let missing = format!("tls.ca={}", folder.name("missing"));
    for url in [
        "opensearch://h:1/x",
        "hbase://h:1/x",
        "rediss://h:1/x",
        #[cfg(feature = "cassandra-tls")]
        "cassandra://h:1/x/y",
        #[cfg(feature = "s3")]
        "s3://b/x",
    ] {
        let query = ["stream", "--from", "stdin:", "--count", "--to", url];
        for (option, says) in [(&none, "PEM"), (&missing, "missing")] {
            let query = [&query[..], &["--to-option", option]].concat();
            assert_fails(&query, 2, &[says]);
        }
    }
}

#[cfg(all(feature = "hdfs", feature = "s3"))]
#[test]
fn s3_by_https() {
    use crate::storages::place::{Kind, Place};
    let Some(store) = Place::new(Kind::S3, "https") else {
        return;
    };
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "server", &["127.0.0.1"]);
    Authority::new(&folder, "other");
    let server = Proxy::new(&store.server.address, &folder, "server");
    folder.file("in/words", "to be or not to be\n");
    let query = |trusted: &str| {
        let mut query = store.keymill();
        query.env("AWS_ENDPOINT_URL", format!("https://{}", server.address));
        query.args(["stream", "--from", &format!("dir:{}", folder.name("in"))]);
        query.args(["--count", "--available-now", "--explain"]);
        query.args(["--to", &store.url("out"), "--to-option", trusted]);
        let output = query.output().unwrap();
        assert!(!text(&output.stderr).contains("secret-of-tests"));
        output
    };
    let other = query(&trusting(&folder, "other"));
    is_refused(&other, "https://");
    assert!(store.files("out").is_empty());
    let output = query(&trusting(&folder, "authority"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let files = store.files("out");
    let part = &files["epoch=00000000/part-00000.tsv"];
    assert_eq!(text(part), "be\t2\nto\t2\nnot\t1\nor\t1\n");
}
