//! Settings as a TOML file: out with secrets left out, in as changes.

use core::fmt::{self, Write};

use heapless::{String, Vec};
use monster::settings::value::Kind;
use monster::settings::{Setting, Settings, TABLE};
use toml_parser::decoder::{Encoding, ScalarKind, StringBuilder};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

use crate::changes::{Changes, Refusal, is_secret};
use crate::json::{KEY_MAX, Quoted, TEXT_MAX};

/// How many tokens one `key = value` may have.
const TOKENS: usize = 96;

/// The line of a setting in `settings.toml`. A secret is only a comment: whoever stores the file again
/// leaves it as it is.
pub(crate) fn line<'a>(setting: &'a Setting, settings: &'a Settings) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        let (key, value) = (setting.key(), setting.show(settings));
        match setting.kind() {
            Kind::Secret => writeln!(f, "# {key} = \"\"  # {value}"),
            Kind::Bool | Kind::Number { .. } => writeln!(f, "{key} = {value}"),
            Kind::Text | Kind::Choice(_) => {
                // A broker's address may have a password in it, which is not shown either.
                let hides = setting.is_sensitive() && !is_secret(setting);
                writeln!(
                    f,
                    "{key} = {}{}",
                    Quoted(value),
                    if hides {
                        "  # without what is secret"
                    } else {
                        ""
                    }
                )
            }
        }
    })
}

/// The settings, in the order of the file.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter()
}

/// Takes what a file says.
pub(crate) fn read(file: &str, changes: &mut Changes) -> Result<(), Refusal> {
    let source = Source::new(file);
    let mut table = String::<KEY_MAX>::new();
    let mut tokens = Vec::<Token, TOKENS>::new();
    let mut depth = 0u32;
    // One expression after the other, so that there need be room for one only.
    for token in source.lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if tokens.push(token).is_err() {
            return Err(at(&source, token.span(), format_args!("it is too long")));
        }
        let is_end = match token.kind() {
            TokenKind::Newline => depth == 0,
            TokenKind::Eof => true,
            _ => false,
        };
        if is_end {
            expression(&source, &tokens, &mut table, changes)?;
            tokens.clear();
            depth = 0;
        }
    }
    Ok(())
}

fn expression(
    source: &Source<'_>,
    tokens: &[Token],
    table: &mut String<KEY_MAX>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let mut first_error: Option<ParseError> = None;
    let mut expression = Expression {
        source,
        table,
        changes,
        key: String::new(),
        text: Value(String::new()),
        is_header: false,
        items: None,
        refusal: None,
    };
    parse_document(tokens, &mut expression, &mut first_error);
    if let Some(refusal) = expression.refusal {
        return Err(refusal);
    }
    match first_error {
        None => Ok(()),
        Some(error) => {
            // Only where: the line itself may hold a password.
            let place = error.unexpected().or_else(|| error.context());
            let place = place.or_else(|| tokens.first().map(Token::span));
            Err(at(
                source,
                place.unwrap_or_default(),
                format_args!("it is not TOML: {}", error.description()),
            ))
        }
    }
}

fn at(source: &Source<'_>, place: Span, what: fmt::Arguments<'_>) -> Refusal {
    let before = source.input().as_bytes().get(..place.start());
    let lines = before.map_or(0, |before| before.iter().filter(|b| **b == b'\n').count());
    Refusal::new(None, format_args!("line {}: {what}", lines + 1))
}

/// One expression in the making.
struct Expression<'a, 's> {
    source: &'a Source<'s>,
    /// The table it is in.
    table: &'a mut String<KEY_MAX>,
    changes: &'a mut Changes,
    /// Its key, dotted.
    key: String<KEY_MAX>,
    text: Value,
    is_header: bool,
    /// In a list: how many items there were.
    items: Option<usize>,
    refusal: Option<Refusal>,
}

impl Expression<'_, '_> {
    fn refuse(&mut self, place: Span, what: fmt::Arguments<'_>) {
        if self.refusal.is_none() {
            self.refusal = Some(at(self.source, place, what));
        }
    }

    fn only_texts(&mut self, place: Span) {
        let mut key = String::<KEY_MAX>::new();
        let _ = key.push_str(&self.key);
        self.refuse(
            place,
            format_args!("{key}: a value is text, a number, true or false, or a list of texts"),
        );
    }

    /// The value is whole.
    fn add(&mut self, place: Span) {
        let mut full = String::<KEY_MAX>::new();
        let dot = if self.table.is_empty() { "" } else { "." };
        if write!(full, "{}{dot}{}", self.table, self.key).is_err() {
            return self.refuse(
                place,
                format_args!("there is no setting with such a long key"),
            );
        }
        if let Err(refusal) = self.changes.add(&full, &self.text.0) {
            self.refusal.get_or_insert(refusal);
        }
    }
}

impl EventReceiver for Expression<'_, '_> {
    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.is_header = true;
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        *self.table = core::mem::take(&mut self.key);
        self.is_header = false;
    }

    fn array_table_open(&mut self, place: Span, _: &mut dyn ErrorSink) {
        self.refuse(place, format_args!("no setting is a list of tables"));
    }

    fn inline_table_open(&mut self, place: Span, _: &mut dyn ErrorSink) -> bool {
        self.only_texts(place);
        false
    }

    fn array_open(&mut self, place: Span, _: &mut dyn ErrorSink) -> bool {
        if self.items.is_some() {
            self.only_texts(place);
            return false;
        }
        self.items = Some(0);
        true
    }

    fn array_close(&mut self, place: Span, _: &mut dyn ErrorSink) {
        if self.items.take().is_some() {
            self.add(place);
        }
    }

    fn simple_key(&mut self, place: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.source.get(place) else {
            return;
        };
        let raw = toml_parser::Raw::new_unchecked(raw.as_str(), encoding, place);
        let mut name = Value(String::new());
        raw.decode_key(&mut name, error);
        let dot = if self.key.is_empty() { "" } else { "." };
        if self
            .key
            .push_str(dot)
            .and_then(|()| self.key.push_str(&name.0))
            .is_err()
        {
            self.refuse(
                place,
                format_args!("there is no setting with such a long key"),
            );
        }
    }

    fn scalar(&mut self, place: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.source.get(place) else {
            return;
        };
        let raw = toml_parser::Raw::new_unchecked(raw.as_str(), encoding, place);
        let mut text = Value(String::new());
        let mut is_wrong = false;
        let kind = raw.decode_scalar(&mut text, &mut |wrong: ParseError| {
            // A text that does not fit is reported here too.
            is_wrong = true;
            error.report_error(wrong);
        });
        if is_wrong {
            return;
        }
        match (kind, self.items) {
            (ScalarKind::DateTime, _) => self.only_texts(place),
            (ScalarKind::String, Some(count)) => {
                if text.0.contains(',') {
                    return self.only_texts(place);
                }
                let comma = if count > 0 { "," } else { "" };
                let list = &mut self.text.0;
                if list
                    .push_str(comma)
                    .and_then(|()| list.push_str(&text.0))
                    .is_err()
                {
                    return self.refuse(place, format_args!("it is too long"));
                }
                self.items = Some(count.saturating_add(1));
            }
            (_, Some(_)) => self.only_texts(place),
            (_, None) => {
                self.text = text;
                self.add(place);
            }
        }
    }
}

/// A text in the making.
struct Value(String<TEXT_MAX>);

impl<'s> StringBuilder<'s> for Value {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn push_str(&mut self, text: &'s str) -> bool {
        self.0.push_str(text).is_ok()
    }

    fn push_char(&mut self, character: char) -> bool {
        self.0.push(character).is_ok()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::ToString;

    use super::*;

    type Pairs = std::vec::Vec<(std::string::String, std::string::String)>;

    fn pairs(file: &str) -> Result<Pairs, Refusal> {
        let mut changes = Changes::new();
        read(file, &mut changes)?;
        Ok(changes
            .iter()
            .map(|(key, text)| (key.to_string(), text.to_string()))
            .collect())
    }

    fn expected(pairs: &[(&str, &str)]) -> Pairs {
        pairs
            .iter()
            .map(|(key, text)| (key.to_string(), text.to_string()))
            .collect()
    }

    #[test]
    fn a_file_is_read_as_a_desk_reads_it() {
        let file = r#"
# comment
id = "a1"  # another
groups = [
  "kitchen", # here
  'hall',
]
mqtt.keep_alive = 30
"heartbeat" . seconds = 1_0

[classic]
enabled = false
on = """
灯 \"on\""""
[climate]
temperature_offset = -1.5
"#;
        assert_eq!(
            pairs(file).unwrap(),
            expected(&[
                ("id", "a1"),
                ("groups", "kitchen,hall"),
                ("mqtt.keep_alive", "30"),
                ("heartbeat.seconds", "10"),
                ("classic.enabled", "false"),
                ("classic.on", "灯 \"on\""),
                ("climate.temperature_offset", "-1.5"),
            ])
        );
        assert_eq!(pairs("").unwrap(), []);
        assert_eq!(pairs("id=\"x\"").unwrap(), expected(&[("id", "x")]));
    }

    #[test]
    fn what_is_no_setting_names_its_line_and_never_its_text() {
        for (file, line, word) in [
            ("id = \"a\"\nbroker.password = canary\n", 2, ""),
            ("id = \"a\n", 1, "TOML"),
            ("x = {a = 1}", 1, "list of texts"),
            ("x = [1]", 1, "list of texts"),
            ("x = [[\"a\"]]", 1, "list of texts"),
            ("x = [\"a,b\"]", 1, "list of texts"),
            ("x = 2026-01-01", 1, "list of texts"),
            ("\n[[x]]\n", 2, "list of tables"),
            ("x", 1, "TOML"),
            ("= 1", 1, "TOML"),
            ("x = 1 y = 2", 1, "TOML"),
            ("[a\nb = 1", 1, "TOML"),
        ] {
            match pairs(file) {
                Err(refusal) => {
                    let start = format!("line {line}: ");
                    assert!(refusal.error.starts_with(&start), "{file}: {refusal:?}");
                    assert!(refusal.error.contains(word), "{file}: {refusal:?}");
                    assert!(!refusal.error.contains("canary"), "{refusal:?}");
                }
                Ok(pairs) => panic!("{file}: {pairs:?}"),
            }
        }
    }

    #[test]
    fn nothing_that_comes_in_makes_it_panic() {
        let deep = "[".repeat(5000);
        let braces = format!("x = {}", "{a=".repeat(2000));
        let arrays = format!("x = {}", "[".repeat(2000));
        let long = format!("x = \"{}\"", "y".repeat(3000));
        let many = "a.".repeat(3000);
        for file in [
            &deep,
            &braces,
            &arrays,
            &long,
            &many,
            "\u{feff}id = \"a\"",
            "\0",
            "\r",
            "'''",
        ] {
            let _ = pairs(file);
        }
        let mut random = monster::random::Random::new(7);
        for _ in 0..2000 {
            let text: std::string::String = (0..random.up_to(60))
                .map(|_| {
                    let signs = "ab.=[]{}\"'\\u,#\n\r \t0-1_:TZ灯";
                    let place = random.up_to(26) as usize;
                    signs.chars().nth(place).unwrap_or('x')
                })
                .collect();
            let _ = pairs(&text);
        }
    }

    #[test]
    fn what_is_written_reads_back_as_no_change_and_shows_no_secret() {
        let mut settings = Settings::default();
        for (key, text) in [
            ("broker.url", "mqtt://al:canary@h"),
            ("broker.password", "canary"),
            ("groups", "kitchen,hall"),
            ("classic.on", "灯 \"on\" \\"),
            ("climate.humidity_offset", "-2.0"),
        ] {
            settings.set(key, text).unwrap();
        }
        let file: std::string::String = super::settings()
            .map(|setting| line(setting, &settings).to_string())
            .collect();
        assert!(!file.contains("canary"), "{file}");
        let mut changes = Changes::new();
        read(&file, &mut changes).unwrap();
        assert!(changes.iter().count() > 20);
        changes.retain_new(&settings);
        assert_eq!(changes.iter().count(), 0);
        // And as any other reader of TOML reads it.
        let table = ::toml::de::DeTable::parse(&file).unwrap();
        assert!(table.get_ref().len() > 5);
    }
}
