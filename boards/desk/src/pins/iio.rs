//! A sensor that Linux has a driver for, through the files of its IIO device
//! (Documentation/ABI/testing/sysfs-bus-iio): a read of one is a measurement.

use std::fs;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};

use monster::dht::{Reading, SensorError};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Fault;

/// Thousandths of a degree Celsius.
const TEMPERATURE: &str = "in_temp_input";
/// Thousandths of a percent.
const HUMIDITY: &str = "in_humidityrelative_input";

/// A sensor, and the question it was asked, if it was.
#[derive(Debug)]
pub struct Sensor {
    folder: PathBuf,
    asked: Option<JoinHandle<Result<Reading, Fault>>>,
}

impl Sensor {
    /// The sensor whose files are in this folder.
    ///
    /// # Errors
    /// Which file is not there.
    pub fn find(folder: &Path) -> Result<Self, String> {
        for name in [TEMPERATURE, HUMIDITY] {
            let path = folder.join(name);
            let found = fs::metadata(&path);
            found.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Sensor {
            folder: folder.to_owned(),
            asked: None,
        })
    }

    /// Asks the sensor, unless it is still busy. A driver may take a second to find out that there is
    /// no sensor: nothing else is to wait for that.
    pub fn measure(&mut self) {
        let folder = &self.folder;
        self.asked.get_or_insert_with(|| {
            let folder = folder.clone();
            spawn_blocking(move || read(&folder))
        });
    }

    /// Waits for the answer, if the sensor was asked.
    ///
    /// Cancelling it loses nothing.
    pub async fn reading(&mut self) -> Result<Reading, Fault> {
        let Some(asked) = &mut self.asked else {
            return pending().await;
        };
        let answer = asked.await;
        self.asked = None;
        answer.unwrap_or_else(|error| {
            Err(Fault {
                error: SensorError::Timeout,
                why: error.to_string(),
            })
        })
    }
}

/// The driver of the DHTs keeps what it measured for two seconds, so both are of one measurement.
fn read(folder: &Path) -> Result<Reading, Fault> {
    let temperature = tenths(&folder.join(TEMPERATURE))?;
    let humidity = tenths(&folder.join(HUMIDITY))?;
    let range = |_| Fault {
        error: SensorError::Range,
        why: format!("{temperature} and {humidity} tenths are no climate"),
    };
    Ok(Reading {
        temperature: i16::try_from(temperature).map_err(range)?,
        humidity: u16::try_from(humidity).map_err(range)?,
    })
}

/// The number in a file, of thousandths, as tenths.
fn tenths(path: &Path) -> Result<i64, Fault> {
    let fault = |error, why: &dyn std::fmt::Display| Fault {
        error,
        why: format!("{}: {why}", path.display()),
    };
    let text = fs::read_to_string(path).map_err(|error| fault(meaning(&error), &error))?;
    let thousandths: i64 = text.trim().parse().map_err(|_| {
        let why = format!("{:?} is not a number", text.trim());
        fault(SensorError::Edge, &why)
    })?;
    Ok(thousandths.saturating_add(50).div_euclid(100))
}

/// What the drivers (dht11.c) mean: too few edges, or a sum that is wrong.
fn meaning(error: &io::Error) -> SensorError {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::IO) => return SensorError::Checksum,
            Some(Errno::ILSEQ) => return SensorError::Edge,
            _ => {}
        }
    }
    match error.kind() {
        io::ErrorKind::InvalidData => SensorError::Edge,
        _ => SensorError::Timeout,
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    /// A device's folder, as the kernel shows it.
    struct Device(PathBuf);

    impl Device {
        fn with(temperature: &[u8], humidity: &[u8]) -> Self {
            let folder = crate::scratch::folder().join("iio:device0");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("name"), "dht11@4\n").unwrap();
            fs::write(folder.join(TEMPERATURE), temperature).unwrap();
            fs::write(folder.join(HUMIDITY), humidity).unwrap();
            Device(folder)
        }

        fn read(&self) -> Result<(i16, u16), SensorError> {
            read(&self.0)
                .map(|reading| (reading.temperature, reading.humidity))
                .map_err(|fault| fault.error)
        }
    }

    impl Drop for Device {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.parent().unwrap());
        }
    }

    #[test]
    fn thousandths_become_tenths() {
        for (temperature, humidity, expected) in [
            ("23400\n", "56000\n", (234, 560)),
            ("-100\n", "0\n", (-1, 0)),
            ("-12300", "99900", (-123, 999)),
            // Sensors that are finer than a DHT.
            ("23449\n", "56050\n", (234, 561)),
            ("-12349\n", "1\n", (-123, 0)),
            // Beyond what a DHT can measure: the device judges that.
            ("125000\n", "100100\n", (1250, 1001)),
        ] {
            let device = Device::with(temperature.as_bytes(), humidity.as_bytes());
            assert_eq!(device.read(), Ok(expected), "{temperature} {humidity}");
        }
    }

    #[test]
    fn what_is_no_number_is_an_edge_error_and_named() {
        for garbage in [
            &b""[..],
            b"\n",
            b"23.4\n",
            b"warm",
            b"1 2",
            b"\xff\xfe",
            b"9999999999999999999999",
        ] {
            assert_eq!(
                Device::with(garbage, b"56000").read(),
                Err(SensorError::Edge)
            );
            assert_eq!(
                Device::with(b"23400", garbage).read(),
                Err(SensorError::Edge)
            );
        }
        let device = Device::with(b"warm\n", b"56000\n");
        let path = device.0.join(TEMPERATURE);
        let expected = format!("{}: \"warm\" is not a number", path.display());
        assert_eq!(read(&device.0).unwrap_err().why, expected);
    }

    #[test]
    fn what_no_reading_can_hold_is_out_of_range() {
        for (temperature, humidity) in [
            ("9223372036854775807", "0"),
            ("-9223372036854775808", "0"),
            ("3276800", "0"),
            ("0", "-100"),
            ("0", "6553600"),
        ] {
            let device = Device::with(temperature.as_bytes(), humidity.as_bytes());
            assert_eq!(device.read(), Err(SensorError::Range));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_the_driver_says_is_what_the_device_hears() {
        for (number, expected) in [
            (rustix::io::Errno::TIMEDOUT, SensorError::Timeout),
            (rustix::io::Errno::IO, SensorError::Checksum),
            (rustix::io::Errno::ILSEQ, SensorError::Edge),
            (rustix::io::Errno::NODEV, SensorError::Timeout),
            (rustix::io::Errno::ACCESS, SensorError::Timeout),
        ] {
            assert_eq!(meaning(&io::Error::from(number)), expected);
        }
    }

    #[test]
    fn a_file_that_is_gone_is_a_timeout_and_named() {
        for name in [TEMPERATURE, HUMIDITY] {
            let device = Device::with(b"23400\n", b"56000\n");
            let path = device.0.join(name);
            fs::remove_file(&path).unwrap();
            let fault = read(&device.0).unwrap_err();
            assert_eq!(fault.error, SensorError::Timeout);
            let named = format!("{}: ", path.display());
            assert!(fault.why.starts_with(&named), "{fault:?}");
            let missing = Sensor::find(&device.0).unwrap_err();
            assert!(missing.starts_with(&named), "{missing}");
        }
    }

    #[tokio::test]
    async fn a_sensor_that_is_asked_answers_once() {
        let device = Device::with(b"23400\n", b"56000\n");
        let mut sensor = Sensor::find(&device.0).unwrap();
        sensor.measure();
        // It is busy.
        sensor.measure();
        let expected = Reading {
            temperature: 234,
            humidity: 560,
        };
        assert_eq!(sensor.reading().await, Ok(expected));
        let mut again = Box::pin(sensor.reading());
        let polled = poll_fn(|context| Poll::Ready(again.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        drop(again);

        fs::write(device.0.join(TEMPERATURE), "24000\n").unwrap();
        sensor.measure();
        assert_eq!(sensor.reading().await.unwrap().temperature, 240);
    }
}
