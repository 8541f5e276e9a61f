//! The documentation as a whole: its links lead somewhere, and what is written in two languages shows the same.

use std::fs;
use std::path::Path;

use crate::command::{Failed, program, root};
use crate::quick_starts::page::{self, Block};

/// Pages in both languages, beside the quick starts.
const BOTH: [(&str, &str); 2] = [
    ("README.md", "README.zh.md"),
    ("docs/home-assistant.md", "docs/zh/home-assistant.md"),
];
/// The folders of the quick starts.
const QUICK_STARTS: (&str, &str) = ("docs/quick-starts", "docs/zh/quick-starts");

/// Looks at all of it, and says what is wrong with any.
pub fn docs() -> Result<(), Failed> {
    let list = program("git").args(["ls-files", "*.md"]).output()?;
    let pages: Vec<&str> = list.lines().collect();
    let mut wrong = Vec::new();
    let mut links_seen = 0;
    for path in &pages {
        let text = read(path)?;
        for target in links(&text) {
            links_seen += 1;
            if let Some(what) = is_dead(path, target)? {
                wrong.push(format!("{path}: the link to {target}: {what}"));
            }
        }
    }
    let quick_starts = pages.iter().filter_map(|path| {
        let name = path.strip_prefix(QUICK_STARTS.0)?;
        Some((path.to_string(), format!("{}{name}", QUICK_STARTS.1)))
    });
    let both = BOTH.map(|(english, chinese)| (english.to_owned(), chinese.to_owned()));
    let both: Vec<_> = both.into_iter().chain(quick_starts).collect();
    for (english, chinese) in &both {
        let (one, other) = (read(english)?, read(chinese)?);
        if let Some(what) = difference(&one, &other) {
            wrong.push(format!("{chinese} is not as {english}: {what}"));
        }
    }
    if !wrong.is_empty() {
        return Err(Failed::Advice(wrong.join("\n")));
    }
    println!(
        "{} pages, {links_seen} links between them, {} pages in both languages",
        pages.len(),
        both.len()
    );
    Ok(())
}

/// What the other page shows that the one does not, or the other way round.
fn difference(one: &str, other: &str) -> Option<String> {
    let (headings, theirs) = (headings(one), headings(other));
    let levels =
        |headings: &[&str]| -> Vec<usize> { headings.iter().map(|it| level(it)).collect() };
    if levels(&headings) != levels(&theirs) {
        return Some(format!(
            "its headings are {theirs:?}, those in English {headings:?}"
        ));
    }
    let (blocks, theirs) = (page::blocks(one), page::blocks(other));
    if blocks.len() != theirs.len() {
        return Some(format!(
            "{} blocks, and {} in English",
            theirs.len(),
            blocks.len()
        ));
    }
    let differs = |(one, other): &(&Block<'_>, &Block<'_>)| one.essence() != other.essence();
    let pairs = blocks.iter().zip(&theirs).find(differs);
    pairs.map(|(one, other)| format!("{:?}, and in English {:?}", other.content, one.content))
}

/// Targets of the links to files, and of pictures, outside of code. Links of rustdoc, which name items, are rustdoc's to check.
fn links(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for line in prose(text) {
        for (begin, end) in [("](", ')'), ("src=\"", '"')] {
            let behind = line.split(begin).skip(1);
            targets.extend(behind.filter_map(|rest| rest.split(end).next()));
        }
    }
    targets.retain(|target| !target.contains("://") && !target.contains("::"));
    targets
}

/// Why a link of this page leads nowhere, if it does.
fn is_dead(page: &str, target: &str) -> Result<Option<&'static str>, Failed> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = match file {
        "" => Path::new(page).to_path_buf(),
        file => folder.join(file),
    };
    if !root().join(&path).exists() {
        return Ok(Some("there is no such file"));
    }
    if anchor.is_empty() {
        return Ok(None);
    }
    if root().join(&path).is_dir() {
        path.push("README.md");
    }
    let text = fs::read_to_string(root().join(&path)).map_err(|error| fail(&path, error))?;
    let is_there = headings(&text).into_iter().any(|it| slug(it) == anchor);
    Ok((!is_there).then_some("there is no such heading"))
}

/// What a heading is called in a link, where pages are shown as on GitHub.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim();
    let kept = text.chars().filter_map(|it| match it {
        ' ' | '-' => Some('-'),
        '_' => Some('_'),
        it if it.is_alphanumeric() => Some(it.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn headings(text: &str) -> Vec<&str> {
    let is_heading = |line: &&str| (1..=6).contains(&level(line)) && line.contains("# ");
    prose(text).filter(is_heading).collect()
}

/// How many `#` a line begins with.
fn level(line: &str) -> usize {
    line.bytes().take_while(|it| *it == b'#').count()
}

/// The lines that are in no block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_open = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_open ^= is_fence;
        !is_open && !is_fence
    })
}

fn read(path: &str) -> Result<String, Failed> {
    let path = Path::new(path);
    fs::read_to_string(root().join(path)).map_err(|error| fail(path, error))
}

fn fail(path: &Path, error: impl std::fmt::Display) -> Failed {
    Failed::Advice(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code_and_those_that_lead_nowhere_too() {
        let text = "[a](README.md) [b](https://x.y) [c](docs#no-such)\n```sh\n[d](gone.md)\n```\n[`E`](E::f)\n<img src=\"p.png\">\n";
        assert_eq!(links(text), ["README.md", "docs#no-such", "p.png"]);
        assert_eq!(is_dead("README.md", "README.md#the-parts").unwrap(), None);
        assert_eq!(is_dead("docs/store.md", "../boards/virt").unwrap(), None);
        for dead in ["gone.md", "README.md#gone", "#gone"] {
            assert!(is_dead("README.md", dead).unwrap().is_some(), "{dead}");
        }
        assert_eq!(
            slug("## Once, and `not` twice: so-so"),
            "once-and-not-twice-so-so"
        );
    }

    #[test]
    fn two_languages_may_differ_in_words_alone() {
        let english = "# A\n\nwords\n\n```sh\nrun   # comment\n```\n";
        let chinese = "# \u{7532}\n\n\u{8bdd}\n\n```sh\nrun   # \u{8bdd}\n```\n";
        assert_eq!(difference(english, chinese), None);
        assert!(difference(english, &chinese.replace("run", "walk")).is_some());
        assert!(difference(english, &chinese.replace("# \u{7532}", "## \u{7532}")).is_some());
        assert!(difference(english, "# A\n").is_some());
    }
}
