//! The access point as a QR code, so that a phone's camera joins it: rows of half blocks, two lines of
//! modules in one line of text.
//!
//! The light modules are drawn: on a dark terminal it looks as if it were printed on paper.

use core::fmt::{self, Write};

use heapless::String;
use qrcodegen_no_heap::{DataTooLong, Mask, QrCode, QrCodeEcc, Version};

use crate::radio::Credentials;

/// The largest that is needed: 33 modules a side hold 78 bytes.
const VERSION: Version = Version::new(4);
const BUFFER: usize = VERSION.buffer_len();
/// The longest text: `WIFI:T:WPA;S:Monster-<id>;P:<password>;;`.
const TEXT: usize = 78;
/// What has to be light all around, in modules: the standard wants four, cameras are content with two.
const QUIET: i32 = 2;

/// The rows of the code, each for a line of text; none if the name and the password are too long, which
/// they never are.
pub(crate) fn each_row(
    Credentials { ssid, password }: &Credentials,
    mut show: impl FnMut(fmt::Arguments<'_>),
) {
    // Neither has a character that would have to be escaped.
    let mut text = String::<TEXT>::new();
    let password = password.expose();
    if write!(text, "WIFI:T:WPA;S:{ssid};P:{password};;").is_err() {
        return;
    }
    let (mut scratch, mut code) = ([0; BUFFER], [0; BUFFER]);
    let Ok(code) = encode(&text, &mut scratch, &mut code) else {
        return;
    };
    for top in (-QUIET..code.size() + QUIET).step_by(2) {
        show(format_args!("{}", Row { code: &code, top }));
    }
}

fn encode<'a>(
    text: &str,
    scratch: &mut [u8; BUFFER],
    code: &'a mut [u8; BUFFER],
) -> Result<QrCode<'a>, DataTooLong> {
    let bytes = text.as_bytes();
    if let Some(place) = scratch.get_mut(..bytes.len()) {
        place.copy_from_slice(bytes);
    }
    // Any mask can be read; to look for the best takes more flash than it is worth.
    let mask = Some(Mask::new(2));
    QrCode::encode_binary(
        scratch,
        bytes.len(),
        code,
        QrCodeEcc::Low,
        Version::MIN,
        VERSION,
        mask,
        true,
    )
}

/// Two lines of modules.
struct Row<'a> {
    code: &'a QrCode<'a>,
    top: i32,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is outside of it counts as light.
        let is_light = |x, y| !self.code.get_module(x, y);
        for x in -QUIET..self.code.size() + QUIET {
            f.write_char(match (is_light(x, self.top), is_light(x, self.top + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use monster::settings::Secret;
    use monster::settings::value::Value;

    use super::*;

    /// What a camera reads of these rows: a character is two pixels high.
    fn read(rows: &[String]) -> String {
        let rows: Vec<Vec<char>> = rows.iter().map(|row| row.chars().collect()).collect();
        const PIXELS: usize = 4;
        let (width, height) = (rows[0].len() * PIXELS, rows.len() * 2 * PIXELS);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            let light = match (rows[y / PIXELS / 2][x / PIXELS], y / PIXELS % 2) {
                ('█', _) | ('▀', 0) | ('▄', 1) => true,
                (' ' | '▀' | '▄', _) => false,
                other => panic!("{other:?}"),
            };
            if light { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_camera_reads_the_name_and_the_password_of_the_access_point() {
        for id in ["x", "a1b2c3d4e5f6", "abcdefghijklmnopqrstuvw"] {
            let ssid = format!("Monster-{id}");
            let credentials = Credentials {
                ssid: heapless::String::try_from(&*ssid).unwrap(),
                password: Secret::parse("k4vy8a3gsths").unwrap(),
            };
            let mut rows = Vec::new();
            each_row(&credentials, |row| rows.push(format!("{row}")));
            let width = rows[0].chars().count();
            assert!(rows.iter().all(|row| row.chars().count() == width));
            // It fits a terminal of 80 by 24, behind the time.
            assert!(width <= 60 && rows.len() <= 20, "{width} by {}", rows.len());
            assert_eq!(read(&rows), format!("WIFI:T:WPA;S:{ssid};P:k4vy8a3gsths;;"));
        }
    }
}
