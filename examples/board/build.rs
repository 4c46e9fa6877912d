//! Writes the memory map of the board for the linker.

use std::{env, fs, path::Path};

fn main() {
    let ram = if env::var_os("CARGO_FEATURE_MICROBIT").is_some() { "16K" } else { "64K" };
    let map = format!(
        "MEMORY {{ FLASH : ORIGIN = 0x00000000, LENGTH = 256K\nRAM : ORIGIN = 0x20000000, LENGTH = {ram} }}\n"
    );
    let out = env::var("OUT_DIR").expect("Cargo sets it");
    fs::write(Path::new(&out).join("memory.x"), map).expect("the memory map is written");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rerun-if-changed=build.rs");
}
