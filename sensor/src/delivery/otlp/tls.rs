//! The client's side of TLS, from PEM files.

use super::settings::{ConfigError, Named, Target};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::sync::Arc;

/// For an `https` endpoint. Files are read once: a certificate that is renewed needs a restart.
///
/// # Errors
/// A file that cannot be read or has not what it should have.
pub(super) fn client(target: &Target) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            wrong("TLS", format!("it cannot be set up ({error}); report this with the version of weir"))
        })?;
    let builder = builder.with_root_certificates(roots(target)?);
    let Some((certificate, key)) = &target.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(&key.path).map_err(|error| {
        file(
            key,
            format!("which has no private key that can be used ({error}); write it as PEM (PKCS #8, SEC1 or PKCS #1)"),
        )
    })?;
    builder
        .with_client_auth_cert(chain, secret)
        .map_err(|error| file(key, format!("which does not go with the certificate in {} ({error}); name the key that the certificate was made for", certificate.path.display())))
}

fn roots(target: &Target) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    match &target.authorities {
        Some(named) => {
            for certificate in certificates(named)? {
                roots.add(certificate).map_err(|error| {
                    file(
                        named,
                        format!("which has a certificate that cannot be used ({error}); write the authority's as PEM"),
                    )
                })?;
            }
        }
        // Without TLS nobody is asked for a certificate: a small image need not have any.
        None if target.endpoint.scheme() != Some(&http::uri::Scheme::HTTPS) => {}
        None => {
            // What is wrong with one of the machine's files is no matter as long as another has what is needed.
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                let reason = "this machine has no certificates of authorities; name a file of them in certificate (OTEL_EXPORTER_OTLP_CERTIFICATE)";
                return Err(wrong(&target.endpoint.to_string(), reason.to_owned()));
            }
        }
    }
    Ok(roots)
}

fn certificates(named: &Named) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read = CertificateDer::pem_file_iter(&named.path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| {
        file(
            named,
            format!("which cannot be read as PEM ({error}); check that it is there and has BEGIN CERTIFICATE lines"),
        )
    })?;
    if certificates.is_empty() {
        return Err(file(named, "which has no certificate; write it as PEM, with BEGIN CERTIFICATE lines".to_owned()));
    }
    Ok(certificates)
}

fn wrong(from: &str, reason: String) -> ConfigError {
    ConfigError::Value { from: from.to_owned(), reason }
}

fn file(named: &Named, reason: String) -> ConfigError {
    ConfigError::File { from: named.from.clone(), path: named.path.clone(), reason }
}
