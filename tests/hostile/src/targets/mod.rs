//! The targets: what is read from strangers, from an operator, and from a medium that may be damaged. A target is one
//! function; its corpus is the folder of its name in `fuzz/corpus`.

mod access_token;
mod config;
mod cookies_and_headers;
mod feed;
mod high_water;
mod key_ring;
mod log_words;
mod operations;
mod provider;
mod records;
mod redis;
mod refresh_token;
mod requests;
mod sqlite;

/// What a target does with its input.
pub type Run = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Run); 24] = [
    ("access_token", access_token::text),
    ("access_token_built", access_token::built),
    ("access_token_claims", access_token::claims),
    ("access_token_header", access_token::header),
    ("admin_bodies", requests::admin_bodies),
    ("bodies", requests::bodies),
    ("config", config::config),
    ("cookies_and_headers", cookies_and_headers::cookies_and_headers),
    ("feed", feed::feed),
    ("foreign_token", access_token::foreign),
    ("high_water", high_water::high_water),
    ("jwks", provider::jwks),
    ("key_ring", key_ring::key_ring),
    ("log_words", log_words::log_words),
    ("oidc_callback", provider::callback),
    ("oidc_discovery", provider::discovery),
    ("operations", operations::operations),
    ("provider_token", provider::token),
    ("records", records::records),
    ("redis", redis::redis),
    ("refresh_token", refresh_token::refresh_token),
    ("requests", requests::requests),
    ("sqlite", sqlite::sqlite),
    ("store_urls", config::store_urls),
];

/// The target of this name.
///
/// # Panics
/// Where there is none.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no target is named {name}"));
    run(bytes);
}

/// A folder for one input: in memory where the machine has such a place, for nothing here has to last.
fn scratch() -> tempfile::TempDir {
    let shared = std::path::Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap()
}
