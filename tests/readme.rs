//! The README says what is so.

const README: &str = include_str!("../README.md");

#[test]
fn the_first_example_is_the_loop_of_the_blocking_example() {
    let code = README.split("```").nth(1).expect("a block of code");
    let (_, function) = code.split_once("/// Echoes").expect("the loop");
    let blocking = include_str!("../examples/blocking.rs");
    assert!(blocking.contains(function.trim()));
}

#[test]
fn the_quick_start_is_two_commands() {
    let (_, start) = README.split_once("## Quick start").expect("a quick start");
    let commands = start.split("```").nth(1).expect("a block of commands");
    let commands: Vec<_> = commands.lines().skip(1).collect();
    assert_eq!(commands, ["cargo run --example echo_server", "cargo test"]);
}

#[test]
fn the_stated_rust_version_is_the_declared_one() {
    let manifest = include_str!("../Cargo.toml");
    let (_, version) = README.split_once("minimum Rust version is ").expect("a version");
    let version: String = version.chars().take_while(|c| !c.is_whitespace()).collect();
    let declared = format!("rust-version = \"{}\"", version.trim_end_matches('.'));
    assert!(manifest.contains(&declared), "{declared}");
}
