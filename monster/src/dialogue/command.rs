//! Commands as they come in.

use serde::Deserialize;

use super::topics::Inlet;
use crate::memory::{COMMAND_ID_MAX, CommandId};
use crate::switch::SwitchCommand;

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Switch(SwitchCommand),
    /// Measure temperature and humidity, and tell.
    Measure,
    Restart,
    Identify,
}

/// A command, and the id its sender gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub action: Action,
    pub id: Option<CommandId>,
}

/// Why a message is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Not UTF-8.
    NotText,
    /// Begins as a JSON object, and is not one with `command` and perhaps `id`.
    NotJson,
    /// An id that is empty, longer than 36 bytes, or has an escape in it.
    Id,
    /// Not a command of the switch.
    Switch(crate::switch::CommandError),
    /// Not a command of `/sys/set`.
    System,
    /// Not a word of the classic pair.
    Classic,
}

impl core::fmt::Display for Reason {
    /// Safe inside a JSON string: no quotes, no backslash.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Reason::NotText => f.write_str("not UTF-8"),
            Reason::NotJson => {
                f.write_str("not a JSON object with a string command and perhaps a string id")
            }
            Reason::Id => write!(
                f,
                "an id is 1 to {COMMAND_ID_MAX} bytes without quotes and backslashes"
            ),
            Reason::Switch(error) => error.fmt(f),
            Reason::System => f.write_str("unknown command; allowed are restart, identify"),
            Reason::Classic => f.write_str("unknown command; allowed are on, off, toggle, getTH"),
        }
    }
}

/// A message that is not a command, and whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub reason: Reason,
    pub id: Option<CommandId>,
}

/// The JSON form of a command.
#[derive(Deserialize)]
struct Json<'a> {
    command: &'a str,
    id: Option<&'a str>,
}

impl Command {
    /// Reads what came in by `inlet`.
    pub fn parse(inlet: Inlet, payload: &[u8]) -> Result<Command, Rejected> {
        match inlet {
            Inlet::Classic => Command::classic(payload),
            // Whatever it says, it asks for a measurement; an id asks for an answer too.
            Inlet::Climate => Ok(Command {
                action: Action::Measure,
                id: Words::parse(payload).ok().and_then(|words| words.id),
            }),
            Inlet::Switch => Command::structured(payload, |word| {
                SwitchCommand::parse(word)
                    .map(Action::Switch)
                    .map_err(Reason::Switch)
            }),
            Inlet::System => Command::structured(payload, |word| match word {
                "restart" => Ok(Action::Restart),
                "identify" => Ok(Action::Identify),
                _ => Err(Reason::System),
            }),
        }
    }

    fn classic(payload: &[u8]) -> Result<Command, Rejected> {
        let action = match payload {
            b"on" => Action::Switch(SwitchCommand::On),
            b"off" => Action::Switch(SwitchCommand::Off),
            b"toggle" => Action::Switch(SwitchCommand::Toggle),
            b"getTH" => Action::Measure,
            _ => {
                return Err(Rejected {
                    reason: Reason::Classic,
                    id: None,
                });
            }
        };
        Ok(Command { action, id: None })
    }

    fn structured(
        payload: &[u8],
        action: impl FnOnce(&str) -> Result<Action, Reason>,
    ) -> Result<Command, Rejected> {
        let Words { command, id } =
            Words::parse(payload).map_err(|reason| Rejected { reason, id: None })?;
        match action(command) {
            Ok(action) => Ok(Command { action, id }),
            Err(reason) => Err(Rejected { reason, id }),
        }
    }
}

/// A payload of the structured tree, taken apart: a bare word, or the JSON form.
struct Words<'a> {
    command: &'a str,
    id: Option<CommandId>,
}

impl<'a> Words<'a> {
    fn parse(payload: &'a [u8]) -> Result<Self, Reason> {
        let text = core::str::from_utf8(payload).map_err(|_| Reason::NotText)?;
        if !text.trim_ascii_start().starts_with('{') {
            return Ok(Words {
                command: text,
                id: None,
            });
        }
        let (json, used) =
            serde_json_core::from_str::<Json<'_>>(text).map_err(|_| Reason::NotJson)?;
        let rest = text.get(used..).unwrap_or_default();
        if !rest.trim_ascii().is_empty() {
            return Err(Reason::NotJson);
        }
        let id = json.id.map(valid_id).transpose()?;
        Ok(Words {
            command: json.command,
            id,
        })
    }
}

/// An id that can be compared and sent back as it is.
fn valid_id(id: &str) -> Result<CommandId, Reason> {
    if id.is_empty() || id.contains(['"', '\\']) || id.contains(char::is_control) {
        return Err(Reason::Id);
    }
    CommandId::try_from(id).map_err(|_| Reason::Id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(payload: &str) -> Result<Command, Rejected> {
        Command::parse(Inlet::Switch, payload.as_bytes())
    }

    fn id(text: &str) -> Option<CommandId> {
        Some(CommandId::try_from(text).unwrap())
    }

    #[test]
    fn a_command_is_a_bare_word_or_json_with_or_without_an_id() {
        let toggle = Action::Switch(SwitchCommand::Toggle);
        for (payload, expected) in [
            ("toggle", None),
            (r#"{"command":"toggle"}"#, None),
            (r#"{"command":"toggle","id":"a1"}"#, id("a1")),
            (r#" { "id" : "a1" , "command" : "toggle" } "#, id("a1")),
            (r#"{"command":"toggle","id":null}"#, None),
            (
                r#"{"command":"toggle","id":"a1","more":[1,{"x":2}]}"#,
                id("a1"),
            ),
            (r#"{"command":"toggle","id":"灯"}"#, id("灯")),
        ] {
            assert_eq!(
                switch(payload),
                Ok(Command {
                    action: toggle,
                    id: expected
                }),
                "{payload}"
            );
        }
        assert_eq!(
            switch(r#"{"command":"pulse 500","id":"p"}"#)
                .unwrap()
                .action,
            Action::Switch(SwitchCommand::parse("pulse 500").unwrap())
        );
    }

    #[test]
    fn broken_json_is_rejected() {
        for payload in [
            "{",
            "{}",
            r#"{"command":1}"#,
            r#"{"command":"on""#,
            r#"{"command":"on"} x"#,
            r#"{"id":"a"}"#,
            r#"{"command":"on","id":7}"#,
            r#"{"command":"on","command":"off"}"#,
        ] {
            assert_eq!(
                switch(payload).unwrap_err().reason,
                Reason::NotJson,
                "{payload}"
            );
        }
    }

    #[test]
    fn an_id_that_cannot_be_sent_back_as_it_is_is_rejected() {
        for id in [
            "",
            "0123456789012345678901234567890123456",
            r#"a\"b"#,
            r"a\\b",
            r"a\u0041",
        ] {
            let payload = std::format!(r#"{{"command":"on","id":"{id}"}}"#);
            let rejected = switch(&payload).unwrap_err();
            assert!(
                matches!(rejected.reason, Reason::Id | Reason::NotJson),
                "{payload} {rejected:?}"
            );
        }
        let longest = "012345678901234567890123456789012345";
        let payload = std::format!(r#"{{"command":"on","id":"{longest}"}}"#);
        assert_eq!(switch(&payload).unwrap().id, id(longest));
    }

    #[test]
    fn an_unknown_command_with_an_id_is_rejected_with_the_id() {
        let rejected = switch(r#"{"command":"explode","id":"a1"}"#).unwrap_err();
        assert_eq!(rejected.id, id("a1"));
        let rejected = Command::parse(Inlet::System, br#"{"command":"on","id":"a1"}"#).unwrap_err();
        assert_eq!((rejected.reason, rejected.id), (Reason::System, id("a1")));
    }

    #[test]
    fn the_classic_words_are_exact_and_nothing_else_counts() {
        let parse = |payload| {
            Command::parse(Inlet::Classic, payload)
                .ok()
                .map(|it| it.action)
        };
        assert_eq!(parse(b"on"), Some(Action::Switch(SwitchCommand::On)));
        assert_eq!(parse(b"getTH"), Some(Action::Measure));
        for payload in [
            &b""[..],
            b"On",
            b"on ",
            b" on",
            b"getth",
            b"pulse 100",
            b"\xff",
            b"{}",
        ] {
            assert_eq!(parse(payload), None);
        }
    }

    #[test]
    fn anything_on_the_climate_topic_asks_for_a_measurement() {
        for payload in [&b""[..], b"?", b"{", b"\xff\xfe", br#"{"command":1}"#] {
            let command = Command::parse(Inlet::Climate, payload).unwrap();
            assert_eq!((command.action, command.id), (Action::Measure, None));
        }
        let command = Command::parse(Inlet::Climate, br#"{"command":"get","id":"q"}"#).unwrap();
        assert_eq!(command.id, id("q"));
    }

    extern crate std;
}
