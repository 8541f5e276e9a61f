//! A page of the documentation, as somebody who follows it reads it.

/// What a page asks for next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A file is written.
    File {
        /// Its name.
        name: &'a str,
        /// What is in it.
        content: &'a str,
    },
    /// Commands are typed into a new terminal.
    Type {
        /// As they stand.
        commands: &'a str,
        /// Lines that are then seen in one terminal, in this order, each perhaps with `…` for anything.
        seen: Vec<&'a str>,
    },
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What stands behind the fence.
    pub kind: &'a str,
    /// The file it is, if the line before says so: "…`NAME`:" at its end.
    file: Option<&'a str>,
    /// What is in it, each line with its end.
    pub content: &'a str,
}

/// The blocks of a page, in order.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut before = "";
    // Where the content of the open block begins, and what is known of it.
    let mut open: Option<(usize, &str, Option<&str>)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        match (open.take(), line.trim_end().strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some((end, kind, file_named(before)));
                before = "";
            }
            (Some((from, kind, file)), Some(_)) => {
                let content = text.get(from..at).unwrap_or_default();
                blocks.push(Block {
                    kind,
                    file,
                    content,
                });
            }
            (Some(block), None) => open = Some(block),
            (None, None) => {
                if !line.trim().is_empty() {
                    before = line.trim_end();
                }
            }
        }
        at = end;
    }
    blocks
}

/// What the page asks for, in order.
pub fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for block in blocks(text) {
        match (block.kind, block.file) {
            ("sh", _) => steps.push(Step::Type {
                commands: block.content,
                seen: Vec::new(),
            }),
            ("text", None) => {
                if let Some(Step::Type { seen, .. }) = steps.last_mut() {
                    seen.extend(block.content.lines());
                }
            }
            (kind, Some(name)) if !kind.contains("no-run") => steps.push(Step::File {
                name,
                content: block.content,
            }),
            _ => {}
        }
    }
    steps
}

impl<'a> Block<'a> {
    /// What it shows, without the comments, which are in the page's language.
    pub fn essence(&self) -> (&'a str, Option<&'a str>, Vec<&'a str>) {
        let lines = self.content.lines().map(without_comment);
        let lines = lines.filter(|line| !line.is_empty()).collect();
        (self.kind, self.file, lines)
    }
}

fn without_comment(line: &str) -> &str {
    let starts = line.trim_start().starts_with('#').then_some(0);
    let at = starts.or_else(|| line.find(" #")).unwrap_or(line.len());
    line.get(..at).unwrap_or_default().trim_end()
}

/// The file that a line promises.
fn file_named(line: &str) -> Option<&str> {
    let line = line.strip_suffix([':', '：'])?.strip_suffix('`')?;
    Some(line.rsplit_once('`')?.1)
}

/// Whether a line is as it should be, where `…` stands for anything.
pub fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    // The last part must be the end, unless it is `…` itself.
    rest.is_empty() || (open && (pattern.ends_with('…') || line.ends_with(last(pattern))))
}

fn last(pattern: &str) -> &str {
    pattern.rsplit('…').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_files_to_write_and_commands_to_type() {
        let text = "Put this into `a.conf`:\n\n```ini\nx = 1\n```\n\n```sh\nrun a.conf\n```\n\n\
                    ```text\n…ready…\n```\n\n```sh no-run\nsudo x\n```\n\nNot in `b`:\n\n```ini no-run\ny\n```\n";
        assert_eq!(
            steps(text),
            [
                Step::File {
                    name: "a.conf",
                    content: "x = 1\n"
                },
                Step::Type {
                    commands: "run a.conf\n",
                    seen: vec!["…ready…"]
                },
            ]
        );
    }

    #[test]
    fn three_dots_stand_for_anything() {
        for (line, pattern, like) in [
            ("on-1", "on-1", true),
            ("on-1 ", "on-1", false),
            ("t=17", "t=…", true),
            ("0.3  ready now", "…ready…", true),
            ("0.3  ready now", "…ready", false),
            ("a b a", "…a", true),
            ("", "…", true),
            ("x", "", false),
        ] {
            assert_eq!(is_like(line, pattern), like, "{line:?} {pattern:?}");
        }
    }
}
