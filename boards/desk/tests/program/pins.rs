//! Pins that are not simulated. There is no GPIO chip here; a sensor's files are files.

use crate::harness::Desk;

#[test]
fn a_pin_that_no_board_has_is_a_wrong_setting() {
    let desk = Desk::with("[switch]\ngpio = 5\n");
    for flags in [&["run"][..], &["settings", "--check"]] {
        let said = desk.run(flags);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.error.starts_with(
                "error: switch.gpio = \"5\": this computer has no such pin; allowed: sim"
            ),
            "{said:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_that_is_not_there_is_said_so() {
    for key in ["switch.gpio", "button.gpio", "led.gpio"] {
        let pin = format!("{key}=gpiochip4294967295:17");
        let said = Desk::new().run(&["--broker", "mqtt://127.0.0.1:1", "--set", &pin]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let expected = format!(
            "error: {key} = \"gpiochip4294967295:17\": there is no /dev/gpiochip4294967295; \
             allowed: sim; gpiochipN:LINE"
        );
        assert!(said.error.starts_with(&expected), "{said:?}");
    }
}

#[test]
fn a_sensor_that_is_not_there_is_said_so_unless_there_is_to_be_none() {
    let desk = Desk::new();
    let flags = [
        "--broker",
        "mqtt://127.0.0.1:1",
        "--set",
        "climate.gpio=/nowhere",
    ];
    let said = desk.run(&flags);
    assert_eq!(said.code, Some(1), "{said:?}");
    let expected = "error: climate.gpio = \"/nowhere\": /nowhere/in_temp_input: ";
    assert!(said.error.starts_with(expected), "{said:?}");

    let none = [
        "--set",
        "climate.gpio=/nowhere",
        "--set",
        "climate.kind=none",
    ];
    desk.without_broker(&none).hear("mosquitto_pub");
}

#[cfg(feature = "broker")]
mod sensor {
    use std::fs;

    use crate::harness::{Desk, Running, Said};
    use crate::own_broker::device;

    /// A device whose sensor has these files, and what it says when it is asked for the climate.
    fn climate(temperature: &str, humidity: &str) -> (Running, Said) {
        let desk = Desk::new();
        let files = desk.folder.join("iio");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("in_temp_input"), temperature).unwrap();
        fs::write(files.join("in_humidityrelative_input"), humidity).unwrap();
        let pin = format!("climate.gpio={}", files.display());
        let offset = "climate.temperature_offset=-1.5";
        let flags = ["--id", "a1", "--set", &pin, "--set", offset];
        let (running, broker) = device(&desk, &flags);
        let said = desk.run(&["send", "--broker", &broker, "--timeout", "20", "a1", "th"]);
        (running, said)
    }

    #[test]
    fn a_sensor_of_linux_is_read() {
        let (_running, said) = climate("21700\n", "48300\n");
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(0), "20.2 °C  48.3 %\n")
        );
    }

    #[test]
    fn a_sensor_of_linux_that_does_not_work_is_a_fault_and_the_reason_is_in_the_log_once() {
        let (mut running, said) = climate("warm\n", "48300\n");
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.error.contains("edge"), "{said:?}");
        running.child.kill().unwrap();
        let log = running.end().error;
        let reason = "/in_temp_input: \"warm\" is not a number\n";
        assert_eq!(log.matches(reason).count(), 1, "{log}");
    }
}
