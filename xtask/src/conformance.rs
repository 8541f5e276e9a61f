//! `docs/conformance.md`: every normative statement of MQTT 3.1.1 and 5, with the tests that show it.
//!
//! A test says what it shows by a comment before it: `// 5: [MQTT-2.2.1-2] [MQTT-2.2.2-1]`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::command::{Failed, root};

const STATEMENTS: &str = "umqtt/tests/conformance.txt";
const DOCUMENT: &str = "docs/conformance.md";
const FOLDERS: [&str; 2] = ["umqtt/tests", "umqtt/src"];
const VERSIONS: [&str; 2] = ["3.1.1", "5"];

/// A statement of one of the standards.
struct Statement {
    version: &'static str,
    number: String,
    binds: Binds,
    words: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Binds {
    Client,
    Server,
    User,
}

/// The tests of each statement, by version and number.
type Tests = BTreeMap<(&'static str, String), Vec<String>>;

/// Fails where a statement has no test, a test names no statement, or the document is not of today;
/// or writes the document.
pub fn conformance(write_it: bool) -> Result<(), Failed> {
    let statements = parse(&read(Path::new(STATEMENTS))?).map_err(Failed::Advice)?;
    let mut tests = Tests::new();
    let mut faults = Vec::new();
    for folder in FOLDERS {
        collect(Path::new(folder), &mut tests, &mut faults)?;
    }
    faults.extend(compare(&statements, &tests));
    if !faults.is_empty() {
        return Err(Failed::Advice(faults.join("\n")));
    }
    let text = render(&statements, &tests);
    if write_it {
        let failed = |error| Failed::Start(format!("write {DOCUMENT}"), error);
        fs::write(root().join(DOCUMENT), &text).map_err(failed)?;
    } else if read(Path::new(DOCUMENT)).ok().as_ref() != Some(&text) {
        return Err(Failed::Advice(format!(
            "{DOCUMENT} is out of date: `cargo xtask conformance --write`"
        )));
    }
    let client = |it: &&Statement| it.binds == Binds::Client;
    println!(
        "Each of the {} statements that bind a client has a test, of {} in all.",
        statements.iter().filter(client).count(),
        statements.len()
    );
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Statement>, String> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut version = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            version = VERSIONS.into_iter().find(|version| *version == name);
        } else if !line.is_empty() {
            let fault = || format!("{STATEMENTS}: {line}");
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let &[number, binds, words] = fields.as_slice() else {
                return Err(fault());
            };
            let version = version.ok_or_else(fault)?;
            if statements
                .iter()
                .any(|it| it.version == version && it.number == number)
            {
                return Err(format!("twice: {}", fault()));
            }
            statements.push(Statement {
                version,
                number: number.to_owned(),
                binds: match binds {
                    "client" => Binds::Client,
                    "server" => Binds::Server,
                    "user" => Binds::User,
                    _ => return Err(fault()),
                },
                words: words.to_owned(),
            });
        }
    }
    Ok(statements)
}

/// Adds the tests of all files in a folder.
fn collect(folder: &Path, tests: &mut Tests, faults: &mut Vec<String>) -> Result<(), Failed> {
    let failed = |error| Failed::Start(format!("read {}", folder.display()), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(root().join(folder)).map_err(failed)? {
        paths.push(folder.join(entry.map_err(failed)?.file_name()));
    }
    paths.sort();
    for path in paths {
        if root().join(&path).is_dir() {
            collect(&path, tests, faults)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            find(&path.display().to_string(), &read(&path)?, tests, faults);
        }
    }
    Ok(())
}

/// Adds the tests of a file.
fn find(path: &str, text: &str, tests: &mut Tests, faults: &mut Vec<String>) {
    let mut noted: Vec<(&'static str, String)> = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let marker = line.strip_prefix("// ").and_then(|rest| {
            let (version, ids) = rest.split_once(": [MQTT-")?;
            let version = VERSIONS.into_iter().find(|it| *it == version)?;
            Some((version, format!("[MQTT-{ids}")))
        });
        if let Some((version, ids)) = marker {
            for id in ids.split(' ') {
                match id
                    .strip_prefix("[MQTT-")
                    .and_then(|id| id.strip_suffix(']'))
                {
                    Some(number) => noted.push((version, number.to_owned())),
                    None => faults.push(format!("{path}: {line}: {id} is no number")),
                }
            }
        } else if line == "#[test]" || line == "#[tokio::test]" {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            match is_test {
                true => {
                    for key in noted.drain(..) {
                        let test = format!("{path}: `{name}`");
                        tests.entry(key).or_default().push(test);
                    }
                }
                false => faults.extend(
                    noted
                        .drain(..)
                        .map(|(_, number)| format!("{path}: [MQTT-{number}] is before no test")),
                ),
            }
            is_test = false;
        }
    }
    let rest = noted.into_iter();
    faults.extend(rest.map(|(_, number)| format!("{path}: [MQTT-{number}] is before no test")));
}

fn compare(statements: &[Statement], tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    for statement in statements {
        let key = (statement.version, statement.number.clone());
        if statement.binds == Binds::Client && !tests.contains_key(&key) {
            faults.push(format!(
                "MQTT {} [MQTT-{}] has no test: {}",
                statement.version, statement.number, statement.words
            ));
        }
    }
    for ((version, number), names) in tests {
        let known = statements
            .iter()
            .any(|it| it.version == *version && it.number == *number);
        if !known {
            faults.push(format!(
                "MQTT {version} has no [MQTT-{number}]: {}",
                names.join(", ")
            ));
        }
    }
    faults
}

fn render(statements: &[Statement], tests: &Tests) -> String {
    let mut text = String::from(
        "# Conformance\n\n\
         Every normative statement of MQTT 3.1.1 and 5, in a few words of ours, and the tests of `umqtt` \
         that show it. Those that bind\nservers alone, or are left to whoever uses the client, need none. \
         Made by `cargo xtask conformance --write` from\n[conformance.txt](../umqtt/tests/conformance.txt) and \
         from the comments at the tests; the tests of the repository fail where\na test is missing.\n",
    );
    for version in VERSIONS {
        text.push_str(&format!(
            "\n## MQTT {version}\n\n| statement | demands | shown by |\n|---|---|---|\n"
        ));
        for statement in statements.iter().filter(|it| it.version == version) {
            let key = (version, statement.number.clone());
            let tests = tests.get(&key).map(|names| names.join("<br>"));
            let shown = match (tests, statement.binds) {
                (Some(names), _) => names,
                (None, Binds::Server) => "(servers)".to_owned(),
                (None, _) => "(the user)".to_owned(),
            };
            text.push_str(&format!(
                "| MQTT-{} | {} | {shown} |\n",
                statement.number, statement.words
            ));
        }
    }
    text
}

fn read(path: &Path) -> Result<String, Failed> {
    fs::read_to_string(root().join(path))
        .map_err(|error| Failed::Start(format!("read {}", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# words\n\n= 5\n1.2-1 | client | a\n1.2-2 | server | b\n";

    fn faults(source: &str) -> Vec<String> {
        let (mut tests, mut faults) = (Tests::new(), Vec::new());
        find("x.rs", source, &mut tests, &mut faults);
        faults.extend(compare(&parse(LIST).unwrap(), &tests));
        faults
    }

    #[test]
    fn a_statement_that_binds_a_client_needs_a_test() {
        let right = "// 5: [MQTT-1.2-1]\n#[test]\nfn it_does() {\n}";
        assert_eq!(faults(right), [""; 0]);
        assert_eq!(faults("#[test]\nfn it_does() {}").len(), 1);
    }

    #[test]
    fn a_marker_needs_a_statement_of_its_version_and_a_test() {
        let right = "// 5: [MQTT-1.2-1]\n#[test]\nfn it_does() {}\n";
        for wrong in [
            "// 5: [MQTT-9.9-9]\n#[test]\nfn more() {}",
            "// 3.1.1: [MQTT-1.2-1]\n#[test]\nfn more() {}",
            "// 5: [MQTT-1.2-1]\nfn no_test() {}",
            "// 5: [MQTT-1.2-1]",
        ] {
            assert_eq!(faults(&[right, wrong].concat()).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_statement_is_listed_once() {
        assert!(parse(&[LIST, "1.2-1 | client | a\n"].concat()).is_err());
        assert!(parse("= 5\n1.2-1 | nobody | a\n").is_err());
    }
}
