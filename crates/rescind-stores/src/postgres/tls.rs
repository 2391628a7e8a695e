//! TLS to the database: whom to believe, in libpq's five steps. Owns the verifiers between "anybody" and "this name";
//! the cryptography is rustls'.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;

/// Whom the connection must be to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// In the clear.
    NoTls,
    /// TLS where the server has it, to whomever.
    Prefer,
    /// TLS, to whomever.
    Anybody,
    /// A certificate of a known authority, whatever its name.
    Authority,
    /// A certificate of a known authority for the name that was dialled.
    Name,
}

/// Which authorities are known.
#[derive(Debug, Clone)]
pub(super) enum Roots {
    /// The machine's.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Makes the connector.
pub(super) fn connector(trust: Trust, roots: &Roots) -> Result<MakeRustlsConnect, Fault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::unavailable(format!("TLS: {error}")))?;
    let config = match trust {
        Trust::Name => builder.with_root_certificates(store(roots)?).with_no_client_auth(),
        Trust::Authority => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store(roots)?), provider)
                .build()
                .map_err(|error| Fault::unavailable(format!("TLS: {error}")))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(inner))).with_no_client_auth()
        }
        Trust::NoTls | Trust::Prefer | Trust::Anybody => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider))).with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn store(roots: &Roots) -> Result<RootCertStore, Fault> {
    match roots {
        Roots::File(path) => from_file(path),
        Roots::System => system(),
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, Fault> {
    let wrong = |what: String| Fault::unavailable(format!("sslrootcert {}: {what}", path.display()));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        store.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(wrong("has no certificate; it must hold the authority's, as PEM".to_owned()));
    }
    Ok(store)
}

fn system() -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err(Fault::unavailable(
            "this machine has no root certificates. Install ca-certificates, or name the authority's certificate with \
             sslrootcert=/path in the store's URL",
        ));
    }
    Ok(store)
}

/// Believes a certificate of a known authority whatever name it is for: `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            // The name is looked at last: whatever else is wrong has been said before.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Believes any certificate, as libpq's `prefer` and `require` do: against listening, not against a false server.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
