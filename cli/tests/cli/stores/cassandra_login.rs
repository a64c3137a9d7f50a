//! Passwords and TLS of Cassandra.

use super::cassandra::KEYSPACE;
use super::secrets::{PASSWORD, shows_no_password};
use super::store::{Input, Store};
use super::tls::Authority;
use crate::command::{Folder, text};

/// A query as this user, with these settings; its exit status, and what it shows.
fn query(store: &Store, login: &str, options: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let input = Input::new(&folder, 2);
    let url = format!(
        "cassandra://{login}{}/{KEYSPACE}/{}",
        store.server.address,
        store.table(&store.place("t"))
    );
    let mut query = input.stream(&url, &["--mode", "update"]);
    query.args(options.iter().flat_map(|it| ["--to-option", it]));
    let output = shows_no_password(query.env("SECRET", PASSWORD));
    let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), shown)
}

/// With TLS clients show a certificate too; without it they may still connect.
fn server(folder: &Folder) -> Option<Store> {
    let authority = Authority::new(folder, "authority");
    authority.issue(folder, "server", &["127.0.0.1"]);
    authority.issue(folder, "client", &[]);
    let options = format!(
        "authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  optional: true
  require_client_auth: true
  keystore: {}
  truststore: {}
  ssl_context_factory: {{class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}",
        folder.name("server.all"),
        folder.name("authority.pem")
    );
    let store = Store::own("cassandra", &[("KEYMILL_CASSANDRA_OPTIONS", &options)])?;
    let client = store.cassandra(Some(("cassandra", "cassandra")));
    client.run(&format!(
        "CREATE ROLE ann WITH PASSWORD = '{PASSWORD}' AND LOGIN = true AND SUPERUSER = true"
    ));
    Some(store)
}

#[test]
fn cassandra_takes_passwords_and_certificates_and_nobody_shows_them() {
    let folder = Folder::new();
    let Some(store) = server(&folder) else {
        return;
    };
    let by_file = format!(
        "password.file={}",
        folder.file("secret", format!("{PASSWORD}\n"))
    );
    for (login, options) in [
        (format!("ann:{PASSWORD}@"), vec![]),
        ("ann@".to_owned(), vec![&*by_file]),
        (String::new(), vec!["user=ann", "password.env=SECRET"]),
    ] {
        let (code, shown) = query(&store, &login, &options);
        assert_eq!(code, Some(0), "{shown}");
    }
    for login in ["", "ann:wrong@", "nobody:x@"] {
        let (code, shown) = query(&store, login, &[]);
        assert_eq!(code, Some(1), "{shown}");
        assert!(
            shown.contains("does not accept the user and password"),
            "{shown}"
        );
    }
    #[cfg(feature = "cassandra-tls")]
    by_certificates(&store, &folder);
}

/// The server asks for a certificate of the client.
#[cfg(feature = "cassandra-tls")]
fn by_certificates(store: &Store, folder: &Folder) {
    use super::tls::trusting;
    let login = format!("ann:{PASSWORD}@");
    let file = |setting: &str, name: &str| format!("{setting}={}", folder.name(name));
    let trusted = trusting(folder, "authority");
    let (own, key) = (
        file("tls.cert", "client.pem"),
        file("tls.key", "client.key"),
    );
    let (code, shown) = query(store, &login, &[&trusted, &own, &key]);
    assert_eq!(code, Some(0), "{shown}");
    let wrong = query(store, "ann:wrong@", &[&trusted, &own, &key]);
    assert_eq!(wrong.0, Some(1), "{}", wrong.1);
    assert!(wrong.1.contains("does not accept the user and password"));
    // A key that is encrypted, with its password.
    let locked = folder.name("locked.key");
    let done = std::process::Command::new("openssl")
        .args([
            "pkcs8",
            "-topk8",
            "-in",
            &folder.name("client.key"),
            "-out",
            &locked,
        ])
        .args(["-passout", &format!("pass:{PASSWORD}")])
        .status();
    if done.is_ok_and(|it| it.success()) {
        let key = file("tls.key", "locked.key");
        let password = "tls.key.password.env=SECRET";
        let (code, shown) = query(store, &login, &[&trusted, &own, &key, password]);
        assert_eq!(code, Some(0), "{shown}");
        let (code, shown) = query(store, &login, &[&trusted, &own, &key]);
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains("or its password is wrong"), "{shown}");
    }
    // The key of another certificate, and a certificate without a key.
    let other = file("tls.key", "server.key");
    let (code, shown) = query(store, &login, &[&trusted, &own, &other]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("is not the key of `tls.cert`"), "{shown}");
    let (code, shown) = query(store, &login, &[&trusted, &own]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains("needs both `tls.cert` and `tls.key`"),
        "{shown}"
    );
}

/// Nodes of another authority, or with another address, get nothing.
#[cfg(feature = "cassandra-tls")]
#[test]
fn cassandra_by_tls() {
    use super::tls::{Proxy, trusting};
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    authority.issue(&folder, "server", &["127.0.0.1"]);
    authority.issue(&folder, "elsewhere", &["elsewhere.example"]);
    Authority::new(&folder, "other");
    let input = Input::new(&folder, 2);
    let trusted = trusting(&folder, "authority");
    let place = store.place("by-tls");
    let run = |name: &str, options: &[&str]| {
        let proxy = Proxy::new(&store.server.address, &folder, name);
        let url = store
            .url(&place)
            .replace(&store.server.address, &proxy.address);
        let mut query = input.stream(&url, &["--mode", "update"]);
        query.args(options.iter().flat_map(|it| ["--to-option", it]));
        let output = query.output().unwrap();
        (output.status.code(), text(&output.stderr).to_owned())
    };
    for (name, options, why) in [
        ("server", &*trusting(&folder, "other"), "issuer certificate"),
        ("server", "tls=true", "issuer certificate"),
        ("elsewhere", &trusted, "not for the IP address of the node"),
    ] {
        let (code, says) = run(name, &[options]);
        assert_eq!(code, Some(1), "{says}");
        assert!(
            says.contains("shows a certificate that is not trusted") && says.contains(why),
            "{says}"
        );
    }
    let (code, says) = run("server", &[&trusted]);
    assert_eq!((code, &*says), (Some(0), ""));
    assert_eq!(store.counts(&place), input.totals());
    let (code, says) = run("elsewhere", &[&trusted, "tls.check.name=false"]);
    assert_eq!((code, &*says), (Some(0), ""));
    let (code, says) = run(
        "server",
        &[&trusting(&folder, "other"), "tls.check.name=false"],
    );
    assert_eq!(code, Some(1), "{says}");
}

#[cfg(not(feature = "cassandra-tls"))]
#[test]
fn tls_to_cassandra_is_refused_by_name_where_it_was_not_built() {
    for option in ["tls=true", "tls.ca=ca.pem"] {
        let name = option.split('=').next().unwrap();
        let query = [
            "stream",
            "--from",
            "stdin:",
            "--count",
            "--to",
            "cassandra://h:1/k/t",
            "--to-option",
            option,
        ];
        let says = format!("`{name}` needs TLS");
        crate::command::assert_fails(&query, 2, &[&says, "--features cassandra-tls"]);
    }
}
