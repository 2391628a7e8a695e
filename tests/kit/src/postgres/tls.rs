//! A certificate for a server and the authority that signed it, made by openssl for one test.

use std::path::Path;

use crate::error::Result;
use crate::files;
use crate::programs::{command, find, run, user_of_servers};

pub(super) const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const REQUEST: &str = "server.csr";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";
const EXTENSIONS: &str = "server.ext";

/// For localhost and 127.0.0.1, valid for a day.
pub(super) fn make_certificates(folder: &Path) -> Result<()> {
    let openssl = find("openssl", "openssl")?;
    let path = |name: &str| folder.join(name).display().to_string();
    let names = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    files::write(&folder.join(EXTENSIONS), names, None)?;
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let mut authority = command(&openssl, None)?;
    authority.args(["req", "-x509", "-days", "1", "-subj", "/CN=Test authority"]).args(curve);
    authority.args(["-addext", "keyUsage=critical,keyCertSign", "-keyout", &path(CA_KEY), "-out", &path(CA)]);
    run(&mut authority)?;
    let mut request = command(&openssl, None)?;
    request.args(["req", "-new", "-subj", "/CN=localhost"]).args(curve);
    run(request.args(["-keyout", &path(KEY), "-out", &path(REQUEST)]))?;
    let mut signing = command(&openssl, None)?;
    signing.args(["x509", "-req", "-days", "1", "-CAcreateserial", "-CA", &path(CA), "-CAkey", &path(CA_KEY)]);
    run(signing.args(["-in", &path(REQUEST), "-extfile", &path(EXTENSIONS), "-out", &path(CERTIFICATE)]))?;
    files::give(&folder.join(KEY), user_of_servers())
}

/// The lines of postgresql.conf.
pub(super) fn settings(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", path(CERTIFICATE), path(KEY))
}
