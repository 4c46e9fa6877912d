# Other compilers and targets.

# The lint `incompatible_msrv` checks only the standard library, so the old compiler itself is run.
step_msrv() {
  local version found llvm package dir=$cache/msrv
  version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  if ! [ -x "$dir/rustc" ] || ! "$dir/rustc" --version | grep -q "^rustc $version\."; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip "no Debian packages here to take rustc $version from"
    [ -n "$(apt-cache madison rustc-web)" ] || apt update || skip "no package lists here, and no right to fetch them"
    found=$(apt-cache madison rustc-web | awk -v v="$version." 'index($3, v) == 1 && !n++ { print $3 }')
    [ -n "$found" ] || skip "Debian has no rustc $version any more"
    rm -rf "$dir"
    mkdir -p "$dir/root"
    # The compiler is unpacked beside that of the machine, and not installed.
    llvm=$(apt-cache show "libstd-rust-web-$version=$found" | sed -nE 's/^Depends:.*(libllvm[0-9]+).*/\1/p' | sed -n 1p)
    (cd "$dir" && apt-get download "rustc-web=$found" "libstd-rust-web-$version=$found" "libstd-rust-web-dev=$found" "$llvm") ||
      skip "rustc $version cannot be downloaded"
    for package in "$dir"/*.deb; do dpkg -x "$package" "$dir/root"; done
    rm "$dir"/*.deb
    cat >"$dir/rustc" <<SH
#!/bin/sh
LD_LIBRARY_PATH="$dir/root/usr/lib/x86_64-linux-gnu" exec "$dir/root/usr/bin/rustc" "\$@"
SH
    chmod +x "$dir/rustc"
  fi
  export RUSTC=$dir/rustc CARGO_TARGET_DIR=$cache/target-msrv
  cargo check
  cargo check --all-features
  cargo check -p websocket-proto --no-default-features
  note "$("$RUSTC" --version)"
}

# Targets without an operating system: a little-endian one, a big-endian one, and two 32-bit
# microcontrollers without a standard library to download, whose `core` is built from source.
step_bare_targets() {
  needs $debian_rust
  builds_in bare
  export RUSTC=/usr/bin/rustc
  local features
  local built=(-Zbuild-std=core,alloc -Zbuild-std-features=compiler-builtins-mem)
  for features in "" "--features alloc"; do
    /usr/bin/cargo check -p websocket-proto --target bpfel-unknown-none --no-default-features $features
    /usr/bin/cargo check -p websocket-proto --target bpfeb-unknown-none --no-default-features $features
    RUSTC_BOOTSTRAP=1 /usr/bin/cargo build -p websocket-proto --lib --release "${built[@]}" --target thumbv6m-none-eabi \
      --target riscv32imc-unknown-none-elf --no-default-features $features
  done
  # The driver has no features. Its manifest turns those of the core off.
  RUSTC_BOOTSTRAP=1 /usr/bin/cargo build -p websocket-proto-embedded --lib --release "${built[@]}" --target thumbv6m-none-eabi \
    --target thumbv7m-none-eabi --target riscv32imc-unknown-none-elf
  note "$("$RUSTC" --version): bpfel, bpfeb, thumbv6m, riscv32imc, each without features and with alloc; the embedded driver"
}

# Each feature on WebAssembly without an operating system. `random` is built as the README
# describes, into a program whose entropy comes from JavaScript.
step_wasm() {
  needs $debian_rust
  builds_in wasm
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  # The profile of examples/wasm, so that the standard library is built once for both steps.
  export CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_LTO=true
  export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_PANIC=abort
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rust_lld)
  local features target=wasm32-unknown-unknown recipe
  local flags=(-Zbuild-std=std,panic_abort --target "$target")
  for features in "" alloc std,simd std,simd,bytes,sha1,deflate; do
    /usr/bin/cargo build --release -p websocket-proto --lib "${flags[@]}" --no-default-features --features "$features"
  done
  recipe=$(grep '^getrandom = ' "$ci/wasm/Cargo.toml")
  grep -qxF "$recipe" README.md || die "README.md does not say: $recipe"
  /usr/bin/cargo build --release --manifest-path "$ci/wasm/Cargo.toml" "${flags[@]}"
  grep -q getRandomValues "$CARGO_TARGET_DIR/$target/release/wasm.wasm" || die "no entropy from JavaScript"
  note "$("$RUSTC" --version): without random, and with it and getrandom's wasm_js"
}

# The linker for all targets comes with the stable toolchain.
rust_lld() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  printf '%s/lib/rustlib/%s/bin/rust-lld' "$(rustc --print sysroot)" "$host"
}

# Runs the tests with 32-bit pointers, and on an emulated big-endian processor. Both split their
# input in few ways, unless CUTS says otherwise. `.ci/machines` runs all splits.
step_test_32_bits() {
  needs $debian_rust $debian_i686
  export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=gcc-12
  count_tests 457 test_on i686-unknown-linux-gnu
}

step_test_big_endian() {
  needs $debian_rust $debian_s390x
  export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc-12
  export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu"
  count_tests 457 test_on s390x-unknown-linux-gnu
}

# test_on TARGET: builds the standard library from source, and runs the tests with a manifest that
# lacks the development dependencies that need an operating system. The ledger is left out, because its
# tests only read files.
test_on() {
  local dir=$cache/machines name
  mkdir -p "$dir"
  for name in src tests examples crates README.md; do ln -sfn "$PWD/$name" "$dir/$name"; done
  awk -f "$ci/light.awk" Cargo.toml >"$dir/Cargo.toml"
  cp Cargo.lock "$dir/Cargo.lock"
  builds_in machines
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CUTS=${CUTS-few}
  export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=false
  /usr/bin/cargo test --manifest-path "$dir/Cargo.toml" -Zbuild-std --target "$1" --features deflate --lib --test all
}

# `examples/bare.rs` for a board: its size, and the stack of its deepest chain of calls, which has
# to stay within 4 KiB. The compiler states the frames.
step_bare_example() {
  cargo run -p websocket-proto --example bare
  needs $debian_rust
  needs llvm-14
  builds_in board
  local program frames deepest
  export CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER
  CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER=$(rust_lld)
  export RUSTC=/usr/bin/rustc
  RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zemit-stack-sizes /usr/bin/cargo build --manifest-path .ci/bare/Cargo.toml --release \
    -Zbuild-std=core -Zbuild-std-features=compiler-builtins-mem --target thumbv6m-none-eabi
  program=$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/bare
  # The chain: the program, the handshake with its buffer, the echo of the bytes after the request,
  # and the three largest other frames, since no more than three can be below.
  frames=$(llvm-readelf-14 --stack-sizes "$program")
  frame() { awk -v name="$1" '$2 ~ name { print $1; n++ } END { exit n != 1 }' <<<"$frames" || die "no frame of $1"; }
  deepest=$(($(frame _start) + $(frame shake_hands) + $(frame 4echo) + $(awk '$2 ~ /websocket_proto/ && $2 !~ /shake_hands|4echo/ { print $1 }' <<<"$frames" | sort -n | tail -n 3 | paste -sd+)))
  [ "$deepest" -le 4096 ] || die "the stack is $deepest bytes deep"
  note "$(llvm-size "$program" | awk 'NR == 2 { print $1 }') bytes of code, stack at most $deepest bytes"
}
