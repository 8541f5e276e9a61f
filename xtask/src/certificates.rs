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
