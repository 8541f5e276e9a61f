//! Figures in the client's README: written there by the commands that measure them, from what they
//! wrote down, and compared with that by the tests. So a README that says something else fails.

use std::fs;

use crate::command::{Failed, root};
use crate::{bench, size};

const PATH: &str = "umqtt/README.md";
const END: &str = "<!-- end -->";

/// Puts `content` into the block of this name, which says for which `compiler` it is.
pub fn write(name: &str, compiler: &str, content: &str) -> Result<(), Failed> {
    let text = read()?;
    let block = find(&text, name)?;
    let begin = begin(name, compiler);
    let (before, after) = (&text[..block.start], &text[block.end..]);
    let text = format!("{before}{begin}{content}{END}{after}");
    let failed = |error| Failed::Start(format!("write {PATH}"), error);
    fs::write(root().join(PATH), text).map_err(failed)
}

type Render = fn(&str) -> Result<String, Failed>;

const BLOCKS: [(&str, Render); 2] = [("size", size::readme), ("bench", bench::readme)];

/// Fails if a block is not what the written down figures say; or makes it so.
pub fn readme(write_it: bool) -> Result<(), Failed> {
    for (name, render) in BLOCKS {
        let text = read()?;
        if write_it {
            let compiler = find(&text, name)?.compiler;
            write(name, compiler, &render(compiler)?)?;
        } else {
            is_current(&text, name, render)?;
        }
    }
    println!("The tables in {PATH} are what was written down.");
    Ok(())
}

fn is_current(text: &str, name: &str, render: Render) -> Result<(), Failed> {
    let block = find(text, name)?;
    let expected = render(block.compiler)?;
    match block.content == expected {
        true => Ok(()),
        false => Err(Failed::Advice(format!(
            "{PATH} does not say what `cargo xtask {name} --record` wrote down; `cargo xtask \
             readme --write` makes it so"
        ))),
    }
}

fn read() -> Result<String, Failed> {
    fs::read_to_string(root().join(PATH))
        .map_err(|error| Failed::Start(format!("read {PATH}"), error))
}

/// A part of the text, with the lines that begin and end it.
struct Block<'t> {
    start: usize,
    end: usize,
    compiler: &'t str,
    content: &'t str,
}

fn begin(name: &str, compiler: &str) -> String {
    format!("<!-- cargo xtask {name} --record, {compiler} -->\n")
}

fn find<'t>(text: &'t str, name: &str) -> Result<Block<'t>, Failed> {
    let lost = || Failed::Advice(format!("{PATH} has no block for `cargo xtask {name}`"));
    let mark = format!("<!-- cargo xtask {name} --record, ");
    let start = text.find(&mark).ok_or_else(lost)?;
    let rest = &text[start + mark.len()..];
    let (compiler, rest) = rest.split_once(" -->\n").ok_or_else(lost)?;
    let (content, after) = rest.split_once(END).ok_or_else(lost)?;
    Ok(Block {
        start,
        end: text.len() - after.len(),
        compiler,
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- cargo xtask size --record, rustc 1 -->\ntable\n<!-- end -->\nb\n";

    #[test]
    fn a_block_is_found_by_its_command_and_compared_as_a_whole() {
        let block = find(TEXT, "size").unwrap();
        assert_eq!((block.compiler, block.content), ("rustc 1", "table\n"));
        assert_eq!(&TEXT[..block.start], "a\n");
        assert_eq!(&TEXT[block.end..], "\nb\n");
        assert!(find(TEXT, "bench").is_err());
        assert!(is_current(TEXT, "size", |_| Ok("table\n".into())).is_ok());
        assert!(is_current(TEXT, "size", |_| Ok("tables\n".into())).is_err());
    }
}
