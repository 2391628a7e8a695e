//! What the server says of itself. The documents at `/openapi.json` against what is mounted: what they describe is there,
//! and what is there they describe. Its metadata (RFC 8414) and keys (RFC 7517).
#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Server, exchange};

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A document's paths with their methods.
fn described(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    document["paths"].as_object().unwrap().iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

fn document(at: SocketAddr, headers: &[(&str, &str)]) -> Value {
    let answer = exchange(at, "GET", "/openapi.json", headers, b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// Asks for every path by every method: one that is described is answered by its route, any other is 405.
fn hold_against_what_is_mounted(at: SocketAddr, headers: &[(&str, &str)]) -> usize {
    let described = described(&document(at, headers));
    for (path, methods) in &described {
        let path = path.replace("{sid}", "0198c0de-0000-7000-8000-00000000abcd").replace(['{', '}'], "");
        for method in METHODS {
            let answer = exchange(at, method, &path, &[headers, &[("accept", "application/json")]].concat(), b"");
            if methods.contains(method) {
                let is_a_route = answer.status != 405 && !answer.text().contains("nothing at this path");
                assert!(
                    is_a_route && !answer.text().contains("admin API has no"),
                    "{method} {path}: {}",
                    answer.text()
                );
            } else {
                assert_eq!(answer.status, 405, "{method} {path} is answered and not described");
                let allowed: BTreeSet<_> = answer.header("allow").split(',').map(str::to_owned).collect();
                let head = methods.contains("GET").then(|| "HEAD".to_owned());
                let expected: BTreeSet<_> = methods.iter().cloned().chain(head).collect();
                assert_eq!(allowed, expected, "{method} {path}");
            }
        }
    }
    described.len()
}

#[test]
fn what_the_documents_describe_is_mounted_and_their_paths_have_no_other_methods() {
    let server = Server::dev(&["--issuer", "http://127.0.0.1:7000/with/a/path"]);
    let bearer = format!("Bearer {}", server.admin_token());
    let public = hold_against_what_is_mounted(server.public, &[]);
    let admin = hold_against_what_is_mounted(server.admin, &[("authorization", &bearer)]);
    assert!(public >= 21 && admin >= 16, "{public} and {admin}");
    assert!(
        described(&document(server.public, &[])).contains_key("/.well-known/oauth-authorization-server/with/a/path")
    );
}

#[test]
fn a_limit_is_taken_up_to_the_maximum_that_is_described() {
    let server = Server::dev(&[]);
    let bearer = format!("Bearer {}", server.admin_token());
    let headers = [("authorization", bearer.as_str()), ("accept", "application/json")];
    let mut held = BTreeSet::new();
    for (path, item) in document(server.admin, &headers[..1])["paths"].as_object().unwrap() {
        let of_get = item["get"]["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(limit) = of_get.iter().find(|it| it["name"] == "limit") else { continue };
        let most = limit["schema"]["maximum"].as_u64().unwrap();
        let other = match path.rsplit('/').next() {
            Some("feed") => "&after=0",
            Some("sessions") => "&subject=alice",
            _ => "",
        };
        let ask = |limit: u64| exchange(server.admin, "GET", &format!("{path}?limit={limit}{other}"), &headers, b"");
        assert!(!ask(most).text().contains("limit is"), "{path}: {}", ask(most).text());
        let above = ask(most + 1);
        assert!(above.status == 400 && above.text().contains("limit is"), "{path}: {}", above.text());
        held.insert(path.clone());
    }
    assert!(held.len() >= 4 && held.contains("/admin/v1/feed"), "{held:?}");
}

#[test]
fn the_admin_listeners_document_is_for_the_admin_alone() {
    let server = Server::dev(&[]);
    assert_eq!(exchange(server.admin, "GET", "/openapi.json", &[], b"").status, 401);
}

/// A route gets in through `routes!`, which takes its description along. Whatever else could mount one is not used.
#[test]
fn no_route_of_the_server_is_mounted_without_its_description() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut read = 0;
    for file in rust_files(&folder) {
        let text = fs::read_to_string(&file).unwrap();
        for way in [".route(", ".route_service(", ".nest_service(", "Router::from"] {
            assert!(!text.contains(way), "{} has {way}: mount with `routes!`", file.display());
        }
        read += 1;
    }
    assert!(read > 30, "{read} files");
}

/// The library's routes come in one router, so their descriptions are held against its list.
#[test]
fn each_of_the_librarys_routes_is_described() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rescind-axum/src/routes/mod.rs");
    let text = fs::read_to_string(library).unwrap();
    let mounted: BTreeSet<_> =
        text.split(".route(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
    let server = Server::dev(&[]);
    let described = described(&document(server.public, &[]));
    // The server has a token endpoint of its own.
    let missing: Vec<_> = mounted.iter().filter(|path| *path != "/refresh" && !described.contains_key(*path)).collect();
    assert_eq!((mounted.len(), missing), (4, vec![]));
}

// holds: 67, 69
#[test]
fn metadata_names_the_issuer_and_only_what_is_there() {
    let server = Server::dev(&[]);
    let reply = server.get("/.well-known/oauth-authorization-server", None);
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    let body = reply.json();
    let issuer = format!("http://{}", server.public);
    assert_eq!(body["issuer"], issuer.as_str());
    for (name, value) in body.as_object().unwrap() {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name} is empty");
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().unwrap().strip_prefix(&issuer).unwrap();
            assert_ne!(server.send("POST", path, &[], "").status, 404, "{path}");
        }
    }
}

// holds: 68
#[test]
fn an_issuer_with_a_path_has_its_metadata_where_rfc_8414_says() {
    let server = Server::dev(&["--issuer", "https://id.example/tenant/"]);
    let body = server.get("/.well-known/oauth-authorization-server/tenant", None).json();
    assert_eq!(body["issuer"], "https://id.example/tenant/");
    assert_eq!(body["token_endpoint"], "https://id.example/tenant/oauth/token");
}

#[test]
fn the_key_of_a_token_is_in_the_key_set_without_its_secret_half() {
    use base64::Engine;
    for algorithm in ["EdDSA", "ES256", "HS256"] {
        let server = Server::dev(&["--algorithm", algorithm]);
        let pair = server.sign_in();
        let header = pair.access.split('.').next().unwrap();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["typ"]), (&algorithm.into(), &"at+jwt".into()));
        let set = server.get("/.well-known/jwks.json", None).json();
        let keys = set["keys"].as_array().unwrap();
        let listed = keys.iter().any(|key| key["kid"] == header["kid"]);
        assert_eq!(listed, algorithm != "HS256", "a symmetric key is never published");
        for key in keys {
            for secret in ["d", "k", "p", "q"] {
                assert!(key.get(secret).is_none(), "{key}");
            }
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] }).collect()
}
