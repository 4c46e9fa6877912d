//! The README says what is so.

const README: &str = include_str!("../README.md");

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
