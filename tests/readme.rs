//! Tests that the README is correct.

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

/// The documentation tests compile it.
#[test]
fn the_first_code_is_a_whole_server_of_sixty_lines_at_most() {
    let code = README.split("```").nth(1).expect("a block of code");
    for part in ["fn main()", "TcpListener::bind", "Endpoint::server", ".tick(", ".deadline()"] {
        assert!(code.contains(part), "{part}");
    }
    assert!(code.lines().count() <= 60, "{} lines", code.lines().count());
}
