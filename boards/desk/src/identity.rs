//! Who this device is, when its settings do not say.

use std::fs;
use std::io;
use std::path::Path;

use monster::identity::DeviceId;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::store;

/// The file in the state folder that holds an id made once.
const FILE: &str = "id";
/// Where Linux keeps the id that it made when it was installed.
pub const MACHINE_ID: &str = "/etc/machine-id";
/// Makes our hash of the machine's id another than any other program's.
const PURPOSE: &[u8] = b"monster: the id of the device on this machine";
/// An id is this many bytes, in hex.
const BYTES: usize = 6;

/// The device's id: the one kept in the state folder, else one made from the machine's, else a
/// random one that is made now and kept.
///
/// The machine's own id is not to be shown to anybody (machine-id(5)), and a topic is seen by all;
/// so only a keyed hash of it is used.
///
/// # Errors
/// There is nothing random, or the random id cannot be kept.
pub fn own_id(state: &Path, machine_id: &Path, warnings: &mut Vec<String>) -> io::Result<DeviceId> {
    if let Some(id) = kept(&state.join(FILE), warnings)? {
        return Ok(id);
    }
    if let Some(id) = fs::read_to_string(machine_id).ok().and_then(of_machine) {
        return Ok(id);
    }
    let id = random()?;
    store::replace(state, FILE, format!("{id}\n").as_bytes())?;
    Ok(id)
}

fn kept(path: &Path, warnings: &mut Vec<String>) -> io::Result<Option<DeviceId>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Another id would be another device.
        Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
        Err(_) => String::new(),
    };
    match DeviceId::parse(text.trim()) {
        Ok(id) => Ok(Some(id)),
        Err(error) => {
            let path = path.display();
            warnings.push(format!("the id in {path} is not used: {error}"));
            Ok(None)
        }
    }
}

/// `None` for what is no machine's id, such as the `uninitialized` of a system's first boot.
fn of_machine(text: String) -> Option<DeviceId> {
    let text = text.trim();
    let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id || text.bytes().all(|b| b == b'0') {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, text.to_ascii_lowercase().as_bytes());
    let hash = hmac::sign(&key, PURPOSE);
    Some(DeviceId::from_unique_id::<BYTES>(
        *hash.as_ref().first_chunk()?,
    ))
}

fn random() -> io::Result<DeviceId> {
    Ok(DeviceId::from_unique_id(random_bytes::<BYTES>()?))
}

/// Bytes nobody can guess.
///
/// # Errors
/// The system has none.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const SOME_MACHINE: &str = "0123456789abcdef0123456789abcdef\n";

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(machine_id: Option<&str>) -> Self {
            let folder = crate::scratch::folder();
            if let Some(id) = machine_id {
                fs::write(folder.join("machine-id"), id).unwrap();
            }
            Scratch(folder)
        }

        fn id(&self) -> (DeviceId, Vec<String>) {
            let mut warnings = Vec::new();
            let id = own_id(&self.0, &self.0.join("machine-id"), &mut warnings);
            (id.unwrap(), warnings)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_machine_has_one_id_which_does_not_show_its_own() {
        let (id, warnings) = Scratch::new(Some(SOME_MACHINE)).id();
        // HMAC-SHA256, computed with another program: devices keep their ids when Monster changes.
        assert_eq!(id.as_str(), "3aee36839c1f");
        assert!(warnings.is_empty());
        assert_eq!(id, Scratch::new(Some(SOME_MACHINE)).id().0);
        let upper = SOME_MACHINE.to_uppercase();
        assert_eq!(id, Scratch::new(Some(&upper)).id().0);
    }

    #[test]
    fn without_a_machine_id_a_random_one_is_made_once_and_kept() {
        for machine_id in [
            None,
            Some(""),
            Some("uninitialized\n"),
            Some("00000000000000000000000000000000"),
        ] {
            let scratch = Scratch::new(machine_id);
            let (id, warnings) = scratch.id();
            assert!(warnings.is_empty());
            assert_eq!(id.as_str().len(), 12);
            assert_eq!(scratch.id().0, id);
            assert_ne!(Scratch::new(machine_id).id().0, id);
        }
    }

    #[test]
    fn a_kept_id_wins_over_the_machines() {
        let scratch = Scratch::new(Some(SOME_MACHINE));
        fs::write(scratch.0.join(FILE), "kept1\n").unwrap();
        assert_eq!(scratch.id().0.as_str(), "kept1");
    }

    #[test]
    fn a_damaged_id_is_left_out_with_a_warning() {
        let scratch = Scratch::new(Some(SOME_MACHINE));
        let machines = scratch.id().0;
        for damaged in [&b""[..], b"not an id", &[0xff, 0xfe], &[b'a'; 24]] {
            fs::write(scratch.0.join(FILE), damaged).unwrap();
            let (id, warnings) = scratch.id();
            assert_eq!(id, machines);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
        }
    }
}
