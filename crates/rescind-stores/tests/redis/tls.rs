//! TLS by rustls: the authority in the URL is trusted, a stranger's is not.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rescind::log::Scope;
use rescind::store::Store;
use rescind::testing::{cut_off, skip};
use rescind_test_kit::{Redis, or_skip};

use crate::support::{open, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_tls_is_trusted_by_the_authority_in_the_url_only() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, strangers) = (directory.path().join("ours"), directory.path().join("strangers"));
    if !(authority(&ours) && authority(&strangers)) {
        return skip("openssl is not installed");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| ours.join(name).display().to_string();
    let options = Redis::options()
        .setting("tls-port", &port.to_string())
        .setting("tls-cert-file", &file("server.pem"))
        .setting("tls-key-file", &file("server.key"))
        .setting("tls-ca-cert-file", &file("ca.pem"))
        .setting("tls-auth-clients", "no");
    let Some(_server) = or_skip(options.start(), skip) else { return };
    let url = |authority: &Path| format!("rediss://127.0.0.1:{port}?ca={}", authority.join("ca.pem").display());
    let store = open(&url(&ours)).await;
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(10), store.woken()).await.unwrap();
    for url in [url(&strangers), format!("rediss://127.0.0.1:{port}")] {
        let text = refused(&url).await;
        assert!(text.to_lowercase().contains("certificate"), "{text}");
    }
}

/// Makes an authority and a server's certificate under it; false where there is no openssl.
fn authority(folder: &Path) -> bool {
    std::fs::create_dir(folder).unwrap();
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let steps = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    ];
    steps.iter().all(|step| {
        let made = Command::new("openssl").current_dir(folder).args(step.split(' ')).output();
        made.is_ok_and(|made| {
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            true
        })
    })
}
