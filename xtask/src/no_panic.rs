//! That the client cannot panic: in a linked program that uses all of it, no way leads to the panic
//! handler.
//!
//! Of a program without async functions and `{:?}`, the linker says so: it drops what nobody calls,
//! and the handler is dropped. With them, a few ways are left, and `bench/no-panic/left.txt` says
//! which and why: without those functions, none may be left in the program's assembly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::command::{Failed, cargo, root};
use crate::toolchain::Toolchain;

const TARGET: &str = "riscv32imc-unknown-none-elf";
const PACKAGE: &str = "bench/no-panic";
const LEFT: &str = "bench/no-panic/left.txt";
/// What the panic handler calls, and nobody else.
const HANDLER: &str = "panicked";
/// Crates whose functions are told of, as callers.
const OURS: [&str; 3] = ["umqtt::", "no_panic::", "embedded_io"];

/// Fails if a way to the panic handler is left that is not listed, or the program does not use all
/// there is.
pub fn no_panic() -> Result<(), Failed> {
    let functions = all_used()?;
    let toolchain = Toolchain::find(TARGET)?;
    let folder = root().join("target/bench").join(TARGET).join("no-panic");
    let options = [
        "--manifest-path",
        "bench/no-panic/Cargo.toml",
        "--target-dir",
        "target/bench",
    ];
    let build = "rustc --quiet --locked --profile no-panic --bin no-panic";

    toolchain.cargo(build).args(options).output()?;
    let program = read(&folder.join("no-panic"))?;
    let name = [b"\0", HANDLER.as_bytes(), b"\0"].concat();
    let is_dropped = !program.windows(name.len()).any(|window| window == name);

    let assembly = folder.join("no-panic.s");
    toolchain
        .cargo(build)
        .args(options)
        .args(["--features", "everything", "--", "--emit"])
        .args([format!("asm={}", assembly.display())])
        .output()?;
    let assembly = String::from_utf8_lossy(&read(&assembly)?).into_owned();
    let list = String::from_utf8_lossy(&read(&root().join(LEFT))?).into_owned();
    let left = parse_list(&list).map_err(Failed::Advice)?;
    let mut faults = compare(&Callers::of(&assembly), &left);
    if !is_dropped {
        let fault =
            "without async functions and `{:?}`, the linker found a way to the panic handler";
        faults.push(fault.into());
    }
    if !faults.is_empty() {
        return Err(Failed::Advice(faults.join("\n")));
    }
    println!(
        "A program that uses all of umqtt (functions of {functions} names) has no way to its panic \
         handler, on {TARGET}; but for:"
    );
    for (function, why) in left {
        println!("  {function}: {why}");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    fs::read(path).map_err(|error| Failed::Start(format!("read {}", path.display()), error))
}

/// Checks that the program names every public function of the client, and says how many there are.
fn all_used() -> Result<usize, Failed> {
    cargo("doc --quiet --locked --package umqtt --no-deps --features v3,v5")
        .args(["--target-dir", "target/public"])
        .output()?;
    let mut functions = BTreeSet::new();
    each_file(
        &root().join("target/public/doc/umqtt"),
        "html",
        &mut |_, text| {
            functions.extend(documented(text));
        },
    )?;
    let mut program = String::new();
    each_file(&root().join(PACKAGE).join("src"), "rs", &mut |_, text| {
        program.push_str(text);
    })?;
    let words: BTreeSet<&str> = program
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .collect();
    let unused: Vec<&str> = functions
        .iter()
        .map(String::as_str)
        .filter(|function| !words.contains(function))
        .collect();
    match unused.is_empty() && !functions.is_empty() {
        true => Ok(functions.len()),
        false => Err(Failed::Advice(format!(
            "{PACKAGE} has to use all of umqtt, and does not use: {}",
            unused.join(", ")
        ))),
    }
}

fn each_file(
    folder: &Path,
    extension: &str,
    each: &mut impl FnMut(&Path, &str),
) -> Result<(), Failed> {
    let failed = |error| Failed::Start(format!("read {}", folder.display()), error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            each_file(&path, extension, each)?;
        } else if path.extension().is_some_and(|it| it == extension) {
            each(&path, &String::from_utf8_lossy(&read(&path)?));
        }
    }
    Ok(())
}

/// The functions of a type of its own, from its page of the documentation; not those of traits.
fn documented(page: &str) -> impl Iterator<Item = String> {
    let traits = ["trait", "synthetic", "blanket"]
        .iter()
        .filter_map(|kind| page.find(&format!("id=\"{kind}-implementations\"")))
        .min();
    page[..traits.unwrap_or(page.len())]
        .split("id=\"method.")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        // A second one of the same name is called `name-1`.
        .filter_map(|id| id.split('-').next())
        .map(str::to_owned)
}

/// Functions that may be left, and why.
type Left<'a> = BTreeMap<&'a str, &'a str>;

fn parse_list(text: &str) -> Result<Left<'_>, String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_once(" | ")
                .ok_or_else(|| format!("{LEFT}: {line}"))
        })
        .collect()
}

/// Who calls a function, or has a pointer to it, by readable names; data counts as a function.
struct Callers(BTreeMap<String, BTreeSet<String>>);

impl Callers {
    /// Reads the compiler's assembly: what stands behind a label mentions what it uses.
    fn of(assembly: &str) -> Self {
        let mut callers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let typed: BTreeSet<&str> = assembly
            .lines()
            .filter_map(|line| line.trim().strip_prefix(".type")?.trim().split(',').next())
            .collect();
        let mut user = String::new();
        for line in assembly.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(label) = line.strip_suffix(':') {
                // Others are places within a function.
                if !label.starts_with(".L") || typed.contains(label) {
                    user = readable(label);
                }
                continue;
            }
            let is_data = [".word", ".4byte", ".long"]
                .iter()
                .any(|directive| line.starts_with(directive));
            if line.starts_with('.') && !is_data {
                continue;
            }
            for symbol in symbols(line) {
                let used = readable(symbol);
                if used != user {
                    callers.entry(used).or_default().insert(user.clone());
                }
            }
        }
        Callers(callers)
    }

    fn callers<'a>(&'a self, of: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(of).into_iter().flatten().map(String::as_str)
    }

    /// Every function by which the handler can be reached, without going through these, and what
    /// it calls to that end.
    fn ways<'a>(&'a self, without: &Left<'_>) -> BTreeMap<&'a str, &'a str> {
        let mut ways = BTreeMap::new();
        let mut open = vec![HANDLER];
        while let Some(called) = open.pop() {
            for caller in self.callers(called) {
                if !without.contains_key(caller) && !ways.contains_key(caller) {
                    ways.insert(caller, called);
                    open.push(caller);
                }
            }
        }
        ways
    }
}

/// The words of a line of assembly that may be names of functions or data.
fn symbols(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_.$".contains(letter))
        .skip(1)
        .filter(|word| word.len() > 4)
}

/// The name a symbol has in the source, if it has one.
fn readable(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

fn compare(callers: &Callers, left: &Left<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let ways = callers.ways(left);
    for (caller, called) in &ways {
        // Theirs is how it gets there; that it can is ours.
        let is_ours = |name: &str| OURS.iter().any(|ours| name.contains(ours));
        if is_ours(caller) && !is_ours(called) {
            faults.push(format!("{caller} can panic, by {}", chain(called, &ways)));
        }
    }
    if faults.is_empty() && !ways.is_empty() && ways.contains_key("_start") {
        faults.push(format!(
            "the program can panic, by {}",
            chain("_start", &ways)
        ));
    }
    let every = callers.ways(&Left::new());
    for function in left
        .keys()
        .filter(|&function| !every.contains_key(function))
    {
        faults.push(format!(
            "{function} cannot panic any more: take it out of {LEFT}"
        ));
    }
    if callers.callers(HANDLER).next().is_none() {
        faults.push(format!(
            "nobody calls {HANDLER}, not even the panic handler"
        ));
    }
    faults
}

/// From this function to the handler.
fn chain(from: &str, ways: &BTreeMap<&str, &str>) -> String {
    let mut text = from.to_owned();
    let mut at = from;
    while let Some(&next) = ways.get(at) {
        text.push_str(" → ");
        text.push_str(next);
        at = next;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "\
_start: # a function begins
\t.cfi_startproc
\tcall\t_ZN5umqtt4poll17h0123456789abcdefE
.LBB0_1:
\tj\t.LBB0_1
_ZN5umqtt4poll17h0123456789abcdefE:
\tlui\ta0, %hi(.Lvtable.0)
\tret
\t.section\t.text.panicked
\t.type\t.Lvtable.0,@object
.Lvtable.0:
\t.word\t_ZN4core4text17h0123456789abcdefE
_ZN4core4text17h0123456789abcdefE:
\ttail\trust_begin_unwind
rust_begin_unwind:
.Lfunc_begin0:
\tcall\tpanicked
";

    fn faults(program: &str, list: &str) -> Vec<String> {
        compare(&Callers::of(program), &parse_list(list).unwrap())
    }

    #[test]
    fn a_way_is_found_through_calls_and_pointers_and_told_from_its_first_function_of_ours() {
        let told = faults(PROGRAM, "");
        let way =
            "umqtt::poll can panic, by .Lvtable.0 → core::text → rust_begin_unwind → panicked";
        assert_eq!(told, [way]);
    }

    #[test]
    fn a_listed_function_is_left_and_one_that_is_not_left_may_not_be_listed() {
        assert_eq!(faults(PROGRAM, "core::text | because"), [""; 0]);
        let gone = PROGRAM.replace("tail\trust_begin_unwind", "ret");
        assert_eq!(faults(&gone, ""), [""; 0]);
        assert_eq!(faults(&gone, "core::text | because").len(), 1);
        assert!(parse_list("core::text because").is_err());
    }

    #[test]
    fn a_handler_nobody_calls_is_no_proof() {
        assert_eq!(faults("_start:\n\tret\n", "").len(), 1);
    }

    #[test]
    fn only_the_functions_of_a_type_itself_have_to_be_used() {
        let page = r#"<section id="method.poll"><section id="method.poll-1"><h2
            id="trait-implementations"><section id="method.fmt">"#;
        let found: Vec<String> = documented(page).collect();
        assert_eq!(found, ["poll", "poll"]);
    }
}
