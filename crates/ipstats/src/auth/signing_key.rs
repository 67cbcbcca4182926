//! The key of the built-in authority: RSA with 2048 bits, made at first start and kept in the data folder as PKCS #8 PEM.

use crate::private_file;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "signing-key.pem";

/// The one algorithm of this key: what every client of Entra's tokens understands.
pub(super) const ALGORITHM: Algorithm = Algorithm::RS256;

/// A private key, and the public one as issuers publish it.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    pub(super) id: String,
    jwk: Jwk,
}

/// The signing key could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error(
        "{}: {source} (check the owner and the permissions of it and its data folder, or choose another folder with \
         --data-dir)",
        file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The file holds no RSA private key.
    #[error("{}: not an RSA private key in PEM ({source}); move it away and a new one is made", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: jsonwebtoken::errors::Error,
    },
    /// The system could not make a key.
    #[error("no RSA key can be made on this system")]
    Generate,
}

impl SigningKey {
    /// The key in `data_dir`, made where it is missing. Takes no lock: processes that make it at once agree on one.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SigningKeyError> {
        let file = data_dir.join(FILE_NAME);
        let in_file = |source| SigningKeyError::File { file: file.clone(), source };
        let pem = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = generate().map_err(|_| SigningKeyError::Generate)?;
                private_file::create_folder(data_dir).map_err(in_file)?;
                private_file::create_once(&file, &pem).map_err(in_file)?
            }
            read => read.map_err(in_file)?,
        };
        Self::from_pem(&pem).map_err(|source| SigningKeyError::Key { file, source })
    }

    /// The public key as a member of a JWK set (RFC 7517).
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    fn from_pem(pem: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let private = EncodingKey::from_rsa_pem(pem.as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&private, ALGORITHM)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { private, public: DecodingKey::from_jwk(&jwk)?, id, jwk })
    }
}

fn generate() -> Result<String, aws_lc_rs::error::Unspecified> {
    let key = KeyPair::generate(KeySize::Rsa2048)?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key)?;
    let text = BASE64_STANDARD.encode(der.as_ref());
    // PEM lines have 64 characters (RFC 7468); base64 is ASCII, so any cut is between characters.
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let made = SigningKey::load_or_create(&data_dir).unwrap();
        let read = SigningKey::load_or_create(&data_dir).unwrap();
        assert_eq!(made.id, read.id);
        assert_eq!(made.jwk(), read.jwk());
        let published = serde_json::to_value(made.jwk()).unwrap();
        assert_eq!(published["kty"], "RSA");
        assert_eq!(published["use"], "sig");
        assert!(published.get("d").is_none(), "the private exponent is not published");
    }

    #[test]
    fn a_damaged_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "no key").unwrap();
        let error = SigningKey::load_or_create(folder.path()).err().unwrap().to_string();
        assert!(error.contains(FILE_NAME) && error.contains("move it away"), "{error}");
    }
}
