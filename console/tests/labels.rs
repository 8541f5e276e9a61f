//! What the page says of settings: each has a label in both languages, so that a new one is not
//! forgotten there.

use monster::settings::TABLE;
use monster::settings::value::Kind;

const PAGE: &str = include_str!("../page/index.html");

/// The object of this name in the page's script.
fn object(name: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("const {name} = {{")).unwrap();
    rest.split_once("\n};")
        .or_else(|| rest.split_once("};"))
        .unwrap()
        .0
}

/// What follows this key in an object, up to the end of its value.
fn value(object: &'static str, key: &str, end: char) -> Option<&'static str> {
    let quoted = format!("\"{key}\": ");
    let plain = [format!(" {key}: "), format!("{{{key}: ")];
    [quoted]
        .iter()
        .chain(&plain)
        .find_map(|key| object.split_once(key.as_str()))
        .and_then(|(_, rest)| rest.split_once(end))
        .map(|(value, _)| value)
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_setting_has_a_label_and_a_meaning_in_chinese_and_a_group() {
    let (labels, groups, moved) = (object("LABELS"), object("GROUPS"), object("GROUP_OF"));
    for setting in TABLE.iter().filter(|setting| setting.key() != "version") {
        let key = setting.key();
        let label = value(labels, key, ']').unwrap_or_else(|| panic!("{key} has no label"));
        let words: Vec<&str> = label.split('"').skip(1).step_by(2).collect();
        let [english, its, about] = words[..] else {
            panic!("{key}: not a label, its Chinese and its meaning: {label}");
        };
        assert!(
            english.is_ascii() && !english.is_empty(),
            "{key}: {english}"
        );
        assert!(is_chinese(its), "{key}: {its}");
        assert!(is_chinese(about), "{key}: {about}");

        let group = key.split_once('.').map_or("general", |(group, _)| group);
        let group = value(moved, group, ',').map_or(group, |name| name.trim_matches([' ', '"']));
        assert!(
            value(groups, group, ']').is_some(),
            "{key}: no group {group}"
        );
    }
}

#[test]
fn every_word_to_choose_has_its_chinese() {
    let words = object("WORDS");
    for setting in TABLE {
        let Kind::Choice(choices) = setting.kind() else {
            continue;
        };
        // Names of sensors and versions are the same everywhere.
        let is_word = |choice: &&&str| choice.bytes().all(|b| b.is_ascii_lowercase());
        for choice in choices.iter().filter(is_word) {
            let its = value(words, choice, ',');
            assert!(its.is_some_and(is_chinese), "{}: {choice}", setting.key());
        }
    }
}
