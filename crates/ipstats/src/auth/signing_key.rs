//! The key of the built-in authority: RSA with 2048 bits, made at first start and kept in the data folder as PKCS #8 PEM; or
//! the keys in a file that replicas share, of which the first signs and all verify.

use crate::private_file;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE_NAME: &str = "signing-key.pem";

/// The one algorithm of this key: what every client of Entra's tokens understands.
pub(super) const ALGORITHM: Algorithm = Algorithm::RS256;

/// Most keys in one file.
const KEYS_MAX: usize = 8;

/// Permissions that a shared file may not give: anything to everybody, writing to its group. A group may read it, because
/// that is how Kubernetes hands secrets to a user that is not root.
const MODE_EXPOSED: u32 = 0o027;

/// What stands in front of each key in PEM.
const PEM_BEGIN: &str = "-----BEGIN ";

/// A private key, and the public ones whose tokens are good.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) private: EncodingKey,
    pub(super) id: String,
    /// Its own first.
    verifying: Arc<[VerifyingKey]>,
}

/// A public key, for us and as issuers publish it.
pub(super) struct VerifyingKey {
    pub(super) id: String,
    pub(super) public: DecodingKey,
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
    /// The shared file cannot be read.
    #[error("signing_key_file: {}: {source}", file.display())]
    Shared {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The shared file can be read by others.
    #[error(
        "signing_key_file: {} has mode {mode:04o}: others than its owner and group can read it, or its group can write \
         it; do `chmod 0600` (whoever has the key can issue tokens)",
        file.display()
    )]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The shared file holds something else than keys.
    #[error(
        "signing_key_file: {}: not one to {KEYS_MAX} RSA private keys of 2048 bits or more in PEM ({source}); make one \
         with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`",
        file.display()
    )]
    SharedKey {
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
    /// The key in the `shared` file where there is one, else the one in `data_dir`, made where it is missing.
    pub fn find(shared: Option<&Path>, data_dir: &Path) -> Result<Self, SigningKeyError> {
        shared.map_or_else(|| Self::load_or_create(data_dir), Self::load)
    }

    /// The keys in a file that replicas share: the first signs, and tokens of all are good.
    pub fn load(file: &Path) -> Result<Self, SigningKeyError> {
        let in_file = |source| SigningKeyError::Shared { file: file.to_owned(), source };
        let mode = fs::metadata(file).map_err(in_file)?.permissions().mode() & 0o777;
        if mode & MODE_EXPOSED != 0 {
            return Err(SigningKeyError::Exposed { file: file.to_owned(), mode });
        }
        let pem = fs::read_to_string(file).map_err(in_file)?;
        Self::from_pem(&pem).map_err(|source| SigningKeyError::SharedKey { file: file.to_owned(), source })
    }

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

    /// The public keys as members of a JWK set (RFC 7517).
    pub fn jwks(&self) -> impl Iterator<Item = &Jwk> {
        self.verifying.iter().map(|key| &key.jwk)
    }

    pub(super) fn verifying(&self) -> &[VerifyingKey] {
        &self.verifying
    }

    fn from_pem(pem: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let keys = blocks(pem).map(|block| EncodingKey::from_rsa_pem(block.as_bytes()));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let verifying = keys.iter().map(VerifyingKey::of).collect::<Result<Arc<[_]>, _>>()?;
        let first = keys.into_iter().next().zip(verifying.first().map(|key| key.id.clone()));
        let (private, id) =
            first.filter(|_| verifying.len() <= KEYS_MAX).ok_or(ErrorKind::InvalidKeyFormat)?;
        Ok(Self { private, id, verifying })
    }
}

impl VerifyingKey {
    /// Keys of less than 2048 bits are refused.
    fn of(private: &EncodingKey) -> Result<Self, jsonwebtoken::errors::Error> {
        let mut jwk = Jwk::from_encoding_key(private, ALGORITHM)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, public: DecodingKey::from_jwk(&jwk)?, jwk })
    }
}

/// The parts of a file in PEM, each from its first line to the next one's.
fn blocks(pem: &str) -> impl Iterator<Item = &str> {
    let mut begins = pem.match_indices(PEM_BEGIN).map(|(begin, _)| begin).peekable();
    std::iter::from_fn(move || {
        let begin = begins.next()?;
        pem.get(begin..begins.peek().copied().unwrap_or(pem.len()))
    })
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
        assert!(made.jwks().eq(read.jwks()));
        let published = serde_json::to_value(made.jwks().next().unwrap()).unwrap();
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

    /// The keys of several data folders, one file each.
    fn made(folder: &Path, count: usize) -> Vec<(String, String)> {
        let make = |number: usize| {
            let key = SigningKey::load_or_create(&folder.join(number.to_string())).unwrap();
            let pem = fs::read_to_string(folder.join(number.to_string()).join(FILE_NAME)).unwrap();
            (key.id, pem)
        };
        (0..count).map(make).collect()
    }

    fn shared(file: &Path, content: &str, mode: u32) -> Result<SigningKey, String> {
        fs::write(file, content).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        SigningKey::load(file).map_err(|error| error.to_string())
    }

    #[test]
    fn of_several_keys_in_a_shared_file_the_first_signs_and_all_verify() {
        let folder = tempfile::tempdir().unwrap();
        let [(one, first), (other, second)] = made(folder.path(), 2).try_into().unwrap();
        let file = folder.path().join("keys.pem");
        let key = shared(&file, &format!("of this year\n{first}\nof last year\n{second}"), 0o600).unwrap();
        assert_eq!(key.id, one);
        assert_eq!(
            key.verifying().iter().map(|key| key.id.as_str()).collect::<Vec<_>>(),
            [one, other.clone()]
        );
        assert_eq!(shared(&file, &second, 0o440).unwrap().id, other, "a group may read it");
    }

    #[test]
    fn a_shared_file_that_others_read_or_that_holds_no_keys_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.pem");
        let missing = SigningKey::load(&file).err().unwrap().to_string();
        assert!(missing.contains("signing_key_file") && missing.contains("keys.pem"), "{missing}");
        let pem = &made(folder.path(), 1)[0].1;
        for mode in [0o644, 0o604, 0o602, 0o660] {
            let error = shared(&file, pem, mode).err().unwrap();
            assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod 0600"), "{error}");
        }
        for content in ["", "no key", &format!("{pem}-----BEGIN PRIVATE KEY-----\nAA"), &pem.repeat(9)] {
            let error = shared(&file, content, 0o600).err().unwrap();
            assert!(error.contains("openssl genpkey"), "{error}");
        }
    }

    /// Of 1024 bits, made for this test.
    const SHORT: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANEm4Sjj4jZ/Y8/P\n\
/WpPiCSD6lVj0BEH67aNR2+vDyoCawkUTiOLvt6esl9htm2vHgHysErdE7bN6O1d\n\
ORBIQbXDg+diFTDdqGe3Vc1dt8goiyIr2Jqd98uqq+iPZ7MicGUEXHzqPPEO9im5\n\
aNJCgNN7GHDL9ZG/5wFs8cjnzGdlAgMBAAECgYEAzl53glpAhZdyy8Uk/fXVlnoX\n\
CQRAc92F5g1GtFteMgxKwp2ncAleXtjllZmbYGSOzktBSc0Tu6c2sqbuPDOfqMed\n\
BhAAC+Con6lNVK0zqvkfUpCzFf/ZnUh4B3ACprPdy/vnoRfGsi52Ifdkyblv3gHG\n\
9kOgUsbplIgm+tf4Su0CQQD/KEDEA+LJ8KQBiKHGRMUSNFcIP2cg7z33e2C1nhi6\n\
rbf9oGod6Vq+m+XZ6KSTM0YLQnQSZlV7ePMzM4qAPZzbAkEA0de6F0yrLMN6PelF\n\
OBxK3MCRVOVGnzIsK0XIP9rII9kdhci52Uji8u8b3NhjsNMjf8Et4z11omBWGpCn\n\
S3sgvwJAGZ49AnExb/0NOmoxc+qrrqw6oMVc4V2j5xkoGJQK/5M5iel1PhOT3Ndi\n\
OIK3I2Beg/rkFITZyE/YeyeNnFqTSQJAHNRysLjL276PkOn3pJnefy3FydAmP8D4\n\
6IkR1hQM4z/1GmhVgFDPPWk0fscMC0M24Vp9H3dWLhTmP4gYM/qaqQJBAI7hhSga\n\
GRFBSZIWT5eXv+qfMaKOUA1yaAxpcb9ObFCloUEWcfu4AMR9rSEStmwVEfr3pzL1\n\
/VWIdwF8WaKSLgg=\n\
-----END PRIVATE KEY-----\n\
";

    #[test]
    fn a_short_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = shared(&folder.path().join("short.pem"), SHORT, 0o600).err().unwrap();
        assert!(error.contains("2048 bits") && error.contains("TooSmall"), "{error}");
    }
}
