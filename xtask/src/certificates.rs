//! Files that a setting names and a board has to keep, since it has no files.

use std::fs;
use std::path::Path;

use monster_store::BLOB_MAX;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::command::Failed;

/// Settings as a board keeps them.
pub struct ForBoard {
    /// Keys and values.
    pub settings: Vec<(String, String)>,
    /// The certificates of the CAs in the file that `broker.ca` names, one behind the other.
    pub ca: Option<Vec<u8>>,
}

impl ForBoard {
    /// Reads the files these settings name; of a file's path a board keeps the last part.
    pub fn new(settings: Vec<(String, String)>) -> Result<Self, Failed> {
        let mut kept = ForBoard { settings, ca: None };
        for (key, value) in &mut kept.settings {
            if key == "broker.ca" && !value.is_empty() {
                let path = Path::new(&*value);
                kept.ca = Some(certificates(path)?);
                let name = path.file_name().unwrap_or_default();
                *value = name.to_string_lossy().into_owned();
            }
        }
        Ok(kept)
    }
}

/// The certificates in a PEM or DER file.
fn certificates(path: &Path) -> Result<Vec<u8>, Failed> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failed::Advice(format!("broker.ca = {}: {error}", path.display()))
    };
    let bytes = fs::read(path).map_err(|error| wrong(&error))?;
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let pem = pem.map_err(|error| wrong(&error))?;
    let der = match (pem.is_empty(), bytes.first()) {
        (false, _) => pem.iter().flat_map(|der| der.iter().copied()).collect(),
        (true, Some(0x30)) => bytes,
        (true, _) => return Err(wrong(&"there is no certificate in it")),
    };
    if der.len() > BLOB_MAX {
        return Err(wrong(&format!(
            "its certificates have {} bytes; a board keeps {BLOB_MAX}",
            der.len()
        )));
    }
    Ok(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    /// The same.
    const DER: [u8; 2] = [0x30, 0];

    fn kept(name: &str, content: &[u8]) -> Result<ForBoard, Failed> {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("monster-ca-{name}-{}", std::process::id()));
        fs::write(&path, content).unwrap();
        let settings = vec![
            ("id".into(), "a1".into()),
            ("broker.ca".into(), path.to_str().unwrap().into()),
        ];
        let kept = ForBoard::new(settings);
        fs::remove_file(&path).unwrap();
        kept
    }

    #[test]
    fn a_board_keeps_what_is_in_the_file_and_the_file_s_name() {
        for (content, ca) in [
            (PEM.as_bytes(), &DER[..]),
            (PEM.repeat(2).as_bytes(), &DER.repeat(2)),
            (&DER, &DER),
        ] {
            let kept = kept("kept", content).unwrap();
            assert_eq!(kept.ca.as_deref(), Some(ca));
            let name = &kept.settings[1].1;
            assert!(name.starts_with("monster-ca-kept-"), "{name}");
        }
        let without = ForBoard::new(vec![("broker.ca".into(), String::new())]).unwrap();
        assert_eq!(without.ca, None);
    }

    #[test]
    fn a_file_without_a_certificate_or_with_too_much_is_refused_by_its_name() {
        let long = PEM.repeat(BLOB_MAX / DER.len() + 1);
        for content in ["", "not a certificate", &PEM.replace('A', "!"), &long] {
            let refused = kept("refused", content.as_bytes()).err().unwrap();
            assert!(
                refused.to_string().contains("monster-ca-refused-"),
                "{refused}"
            );
        }
        let missing = vec![("broker.ca".into(), "/no/such/file".into())];
        assert!(ForBoard::new(missing).is_err());
    }
}
