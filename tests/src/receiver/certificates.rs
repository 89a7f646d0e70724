//! Certificates for a test, made when it begins.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An authority that nobody else trusts.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub certificate: PathBuf,
    directory: PathBuf,
}

/// A certificate of it, and its key; PEM files.
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Authority {
    /// With its files in `directory`, under `name`.
    pub fn new(directory: &Path, name: &str) -> io::Result<Authority> {
        let mut parameters = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(parameters, key).map_err(io::Error::other)?;
        let certificate = directory.join(format!("{name}.pem"));
        fs::write(&certificate, issuer.pem())?;
        Ok(Authority { issuer, certificate, directory: directory.to_owned() })
    }

    /// A certificate for a host's name or address, or for a client.
    pub fn issue(&self, name: &str) -> io::Result<Issued> {
        let parameters = CertificateParams::new(vec![name.to_owned()]).map_err(io::Error::other)?;
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let signed = parameters.signed_by(&pair, &self.issuer).map_err(io::Error::other)?;
        let (certificate, key) =
            (self.directory.join(format!("{name}.cert.pem")), self.directory.join(format!("{name}.key.pem")));
        fs::write(&certificate, signed.pem())?;
        fs::write(&key, pair.serialize_pem())?;
        Ok(Issued { certificate, key })
    }
}
