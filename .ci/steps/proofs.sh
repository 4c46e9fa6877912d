# Properties of the machine code: possible panics, work, instructions.

# Programs that call everything with lent buffers and with arguments that the compiler does not know
# are linked without an allocator. They contain no panics but those on the lists in .ci/proof.
step_no_panic() {
  local proof=$ci/proof program result
  [ "$(uname -m)" = x86_64 ] || skip "the machine code of this machine cannot be read"
  needs llvm-14
  export CARGO_TARGET_DIR=$cache/target-proof
  local build=(cargo build --manifest-path "$proof/Cargo.toml" --release) release=$CARGO_TARGET_DIR/release

  cargo +nightly rustdoc -p websocket-proto --lib --no-default-features -- -Zunstable-options --output-format json
  result=$(python3 "$proof/public.py" "$CARGO_TARGET_DIR/doc/websocket_proto.json" "$proof"/*.rs)
  note "called: $result"

  # The control contains a call that can panic, which has to be found.
  "${build[@]}" --bin connection --features control
  result=$(python3 "$proof/panics.py" "$release/connection" 2>&1) && die "the control was not found"
  grep -qx "can panic: proof connection.rs main" <<<"$result" || die "instead of the control: $result"

  "${build[@]}"
  "${build[@]}" --features heap --bin heap
  proven connection
  proven handshake handshake sha1_smol
  proven debug debug
  proven heap heap handshake sha1_smol
  for program in connection handshake debug; do
    nm -C "$release/$program" >"$cache/symbols"
    grep -q ' T main$' "$cache/symbols" || die "$program was not read"
    absent grep -E 'alloc::|__rust_(no_)?(re)?alloc|\b(m|c|re)alloc\b' "$cache/symbols" || die "$program allocates"
    [ "$program" != connection ] || absent grep core::panicking "$cache/symbols" || die "panics are linked into the connection"
  done

  # Again with the vector instructions of the processor.
  export CARGO_TARGET_DIR=$cache/target-proof-fast
  release=$CARGO_TARGET_DIR/release
  "${build[@]}" --features fast --bin connection --bin handshake
  proven connection
  proven handshake handshake sha1
}

# The same with 32-bit pointers, by another compiler. The panics inside its `core` do not count.
step_no_panic_32_bits() {
  needs llvm-14
  needs $debian_rust $debian_i686
  local proof=$ci/proof target=i686-unknown-linux-gnu result
  builds_in proof-32
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=gcc-12
  # With overflow checks in `core` too, its panics would be attributed to its callers.
  /usr/bin/cargo build --manifest-path "$proof/Cargo.toml" --release -Zbuild-std=core --target "$target" \
    --bin connection --bin handshake --config profile.release.overflow-checks=false \
    --config profile.release.package.websocket-proto.overflow-checks=true
  local release=$CARGO_TARGET_DIR/$target/release
  proven connection
  result=$(python3 "$proof/panics.py" "$release/handshake" 2>&1) && die "nothing was found in the handshake"
  grep -q '^can panic: httparse ' <<<"$result" || die "instead of dependencies: $result"
  absent grep '^can panic: websocket-proto ' <<<"$result" || die "the handshake can panic"
}

# proven PROGRAM [LIST...]: the possible panics of the program are those on the lists.
proven() {
  local program=$1 result lists=("${@:2}")
  lists=("${lists[@]/#/$proof/}")
  result=$(python3 "$proof/panics.py" "$release/$program" "${lists[@]/%/.txt}")
  note "$result"
}

# Loads that took quadratic work in parsers that failed: twice the bytes may take at most 2.1 times
# the instructions. The control is a quadratic load, which has to be found.
step_linear_work() {
  needs valgrind
  export CARGO_TARGET_DIR=$cache/target-work
  local work=$CARGO_TARGET_DIR/release/work length=35000 names
  cargo build --manifest-path "$ci/work/Cargo.toml" --release
  names=$("$work")
  instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*counted*' "$1" "$2" "$3" 2>&1 |
      sed -n 's/.*Collected : \([0-9]*\)$/\1/p' | grep .
  }
  compare() { printf '%s %s %s\n' "$2" "$(instructions "$1" "$2" "$3")" "$(instructions "$1" "$2" "$(($3 * 2))")"; }
  export -f instructions compare
  xargs -P "$(nproc)" -I{} bash -c "compare '$work' {} $length" <<<"$names" | sort >"$cache/work.out"
  # Each byte has a limit, too. The limit is higher for one-byte reads, which take a call each, and
  # for interim responses, which are parsed.
  awk -v wanted="$(wc -l <<<"$names")" -v length_="$length" '
    { most = /one-byte-reads/ ? 5000 : /interim/ ? 3000 : /sent/ ? 2000 : 1200
      each = ($3 - $2) / length_
      bad = NF != 3 || $2 < length_ / 10 || $3 > 2.1 * $2 || $3 < 1.8 * $2 || each > most
      printf "%-45s %12d %12d %6.3f %5d%s\n", $1, $2, $3, $3 / ($2 + 0.1), each, bad && $1 != "control" ? "  FAILED" : ""
      if ($1 == "control") { control = $3 > 3 * $2; next }
      faults += bad; loads++
      if ($3 / $2 > worst) worst = $3 / $2 }
    END { printf ":: %d loads, twice the bytes take at most %.2f times the instructions\n", loads, worst
      exit faults > 0 || !control || loads != wanted - 1 }' "$cache/work.out"
}

# The instructions of the hot calls, with limits that hold for one compiler.
step_instructions() {
  needs valgrind
  local manifest=bench/instructions/Cargo.toml compiler version result
  compiler=$(sed -n 's/.*those of Rust \([0-9.]*\) on .*/\1/p' bench/instructions/README.md)
  [[ $(rustc --version) == "rustc $compiler."* ]] || skip "the limits are those of Rust $compiler, and this is $(rustc --version)"
  version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' "$manifest")
  [ "$(gungraun-runner --version)" = "gungraun-runner $version" ] ||
    cargo install --locked --root "$tools/cargo" "gungraun-runner@$version"
  builds_in instructions
  result=$(cargo bench --manifest-path "$manifest") || { echo "$result"; die "a call takes more instructions"; }
  echo "$result"
  [ "$(grep -c 'Instructions:' <<<"$result")" -eq "$(grep -c '^#\[bench::' bench/instructions/benches/instructions.rs)" ] ||
    die "not all were counted"
  note "$(tail -n 1 <<<"$result")"
}

# Runs the benchmarks with little input: the peers and this crate all give the expected results. The
# printed figures are not used, so the dev profile is enough. The gate leaves this step out, because
# it takes five minutes. Run it by name after a change in `bench`.
step_benches() {
  export CARGO_TARGET_DIR=$cache/target-bench
  cargo run --manifest-path bench/Cargo.toml -- --quick --json >"$cache/bench.out"
  note "in memory: $(wc -l <"$cache/bench.out") results"
  [ "$(uname -s)" = Linux ] && [ "$(nproc)" -gt 1 ] || skip "the echoes over TCP need Linux and two cores"
  cargo build --manifest-path bench/loopback/Cargo.toml
  cargo run --manifest-path bench/loopback/Cargo.toml -- --quick --json >"$cache/bench.out"
  note "over TCP: $(wc -l <"$cache/bench.out") results"
}
