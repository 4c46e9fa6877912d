# The sources, the documentation, the tests, and the published packages.

step_fmt() {
  local manifest
  for manifest in Cargo.toml crates/*/Cargo.toml examples/*/Cargo.toml fuzz/Cargo.toml bench/Cargo.toml bench/*/Cargo.toml .ci/*/Cargo.toml; do
    cargo fmt --check --manifest-path "$manifest"
  done
}

step_clippy() {
  builds_in checks
  cargo clippy --all-targets -- -D warnings
  cargo clippy --all-targets --all-features -- -D warnings
  # Each package is built separately, because packages that are built together share their features.
  cargo clippy -p websocket-proto --all-targets --no-default-features -- -D warnings
  cargo clippy -p websocket-proto-tokio --all-targets --no-default-features -- -D warnings
  cargo clippy -p websocket-proto-embedded --all-targets -- -D warnings
}

step_features() {
  builds_in checks
  cargo hack check -p websocket-proto --feature-powerset
  cargo hack check -p websocket-proto-tokio --feature-powerset
}

step_docs() {
  builds_in checks
  export RUSTDOCFLAGS=-Dwarnings
  cargo doc --no-deps
  cargo doc --no-deps --all-features

  # docs.rs shows README.md as the front page of the crate, where relative links do not work. In
  # src, paths with a dot or a slash are such links, and other paths are Rust's.
  absent grep -nP '(\]\(|^\[[^]]+\]: *+|(href|src)=")(?!https:|#)' README.md crates/*/README.md ||
    die "links of README.md that lead nowhere on docs.rs"
  absent grep -rnP '//[/!] *(.*(\]\(|(href|src)=")|\[[^]]+\]: *)(?!https:|#)[^)" ]*[./]' src crates/*/src ||
    die "links of the documentation that lead nowhere on docs.rs"
}

# The README's quick start is one block of two commands. Both are run as written.
step_quick_start() {
  local commands
  mapfile -t commands < <(
    awk '/^```sh$/ { on = 1; blocks++; next } /^```/ { on = 0 } on && blocks == 1' README.md |
      sed -E 's/[[:space:]]+#.*//; s/^#.*//; s/[[:space:]]+$//; /^$/d'
  )
  [ "${#commands[@]}" -eq 2 ] || die "the first sh block of README.md has ${#commands[@]} commands: ${commands[*]}"
  [ "${commands[0]}" = "cargo run --example echo_server" ] || die "unexpected first command: ${commands[0]}"
  [ "${commands[1]}" = "cargo test" ] || die "unexpected second command: ${commands[1]}"

  cargo build --example echo_server
  local port server
  port=$(sed -nE 's/.*(127\.0\.0\.1|localhost):([0-9]+).*/\2/p' README.md | sed -n 1p)
  if (exec 3<>"/dev/tcp/127.0.0.1/${port:=9001}") 2>/dev/null; then die "port $port is taken"; fi
  ${commands[0]} &
  server=$!
  children+=("$server")
  wait_for_port "$port" "$server" 60
  python3 - "http://127.0.0.1:$port/" <<'PYTHON'
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
    page = answer.read().decode()
    assert answer.status == 200 and "WebSocket" in page, (answer.status, page)
PYTHON
  still_alive "$server"
  note "${commands[0]}: serves its page on port $port"
  kill "$server"

  # This build has no codec, and says so.
  local refusal
  refusal=$(timeout 10 "$target/debug/examples/echo_server" 127.0.0.1:0 --deflate 2>&1) && die "--deflate was not refused"
  [[ $refusal == *"feature deflate"* ]] || die "not the refusal of --deflate: $refusal"

  count_tests 630 ${commands[1]}
}

step_test_all_features() {
  builds_in tests
  count_tests 740 cargo test --all-features
}

# Without any feature no output can grow, which the tests need. std, simd and random are left out
# here. Documentation is tested with the features that it shows.
step_test_alloc_only() { count_tests 380 cargo test -p websocket-proto --no-default-features --features alloc --lib --tests; }

# Each fault still fits the sources. `.ci/faults` runs them.
step_faults_fit() {
  local result
  result=$(python3 "$ci/faults" --check) || die "$result"
  note "$result"
}

step_dependencies() {
  local wanted="arrayvec base64 httparse sha1_smol" found
  found=$(cargo tree -p websocket-proto -e normal --no-default-features --prefix none --format '{p}' | tail -n +2 | cut -d' ' -f1 | sort | xargs)
  [ "$found" = "$wanted" ] || die "dependencies without features: $found; wanted: $wanted"
  note "without features: $found"
}

# Every public item with its signature, and the traits it implements, as listed in
# .ci/public-api.txt. Auto traits are not listed, because `semver` finds those that are lost.
step_public_api() {
  local listed=$ci/public-api.txt found=$cache/public-api.txt
  cargo +nightly rustdoc -p websocket-proto --lib --all-features -- -Zunstable-options --output-format json
  cargo-public-api public-api -ss --color never --rustdoc-json "$target/doc/websocket_proto.json" >"$found"
  if [ -n "${UPDATE-}" ]; then cp "$found" "$listed"; fi
  diff -U0 "$listed" "$found" ||
    die "the public API is not as listed; if it should be: UPDATE=1 bash .ci/steps.sh public_api"
  note "$(wc -l <"$listed") lines"
}

# The breaking changes since the commit in .ci/semver/baseline equal those in
# .ci/semver/expected.txt.
step_semver() {
  local listed=$ci/semver/expected.txt found=$cache/semver.txt out=$cache/semver.out baseline
  baseline=$(<"$ci/semver/baseline")
  git cat-file -e "$baseline^{commit}" 2>/dev/null || skip "this clone does not have the commit $baseline"
  # The tool fails when it finds something. If it cannot run, its output lacks the line that it
  # checked.
  cargo-semver-checks semver-checks --package websocket-proto --baseline-rev "$baseline" --release-type minor --all-features \
    --color never >"$out" 2>"$out.log" || true
  cat "$out.log" "$out"
  grep -q '^ *Checked ' "$out.log" || die "the API was not checked"
  # A finding is compared by its lint and its message, without its place in the source.
  awk '/^--- / { lint = $3; sub(/:$/, "", lint); on = 0 } /^Failed in:/ { on = 1; next } on && /^  / { $1 = $1; print lint ": " $0 }' "$out" |
    sed -E 's/,? (previously )?(in|at)( file)? (\[ [^]]* \]|[^ ]+:[0-9]+)//g' | LC_ALL=C sort >"$found"
  if [ -n "${UPDATE-}" ]; then cp "$found" "$listed"; fi
  diff -U0 "$listed" "$found" ||
    die "the breaking changes are not as listed; if they should be: UPDATE=1 bash .ci/steps.sh semver"
  note "$(wc -l <"$listed") expected breaking changes since ${baseline:0:7}"
}

step_deny() {
  cargo-deny --workspace --config "$ci/deny.toml" check bans licenses sources
  note "bans, licences and sources of the dependencies"
}

step_package() {
  cargo package --workspace --allow-dirty --no-verify
  local files file
  files=$(cargo package -p websocket-proto --allow-dirty --list)
  for file in src/lib.rs README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE tests/requirements.md tests/attacks.md; do
    grep -qxF "$file" <<<"$files" || die "$file is not in the package"
  done
  absent grep -E '^((\.ci|bench|crates|fuzz|target)/|RELEASING)' <<<"$files" || die "these do not belong in the package"
  note "$(wc -l <<<"$files") files"
  local crate
  for crate in crates/*/; do
    crate=websocket-proto-$(basename "$crate")
    files=$(cargo package -p "$crate" --allow-dirty --list)
    for file in src/lib.rs README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
      grep -qxF "$file" <<<"$files" || die "$file is not in the package $crate"
    done
  done

  # The packages depend only on each other, and on nothing else in the repository. After an earlier
  # packaging with the same version, Cargo would compare the others with its stored copy of the
  # first.
  local version dir=$cache/package
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
  rm -rf "$dir"
  mkdir -p "$dir"
  for file in "$target"/package/websocket-proto*-"$version".crate; do tar -xmzf "$file" -C "$dir"; done
  # In the gate, the dependencies of the tests were built by earlier steps. The examples in `target`
  # become those of the package. The step `quick_start` tests the same sources with all splits of
  # their input. Here a few show that the package lacks no file.
  export CARGO_TARGET_DIR
  CARGO_TARGET_DIR=$(realpath "$target")
  CUTS=few count_tests 500 cargo test --manifest-path "$dir/websocket-proto-$version/Cargo.toml"
  builds_in checks
  for crate in crates/*/; do
    cargo check --manifest-path "$dir/websocket-proto-$(basename "$crate")-$version/Cargo.toml" --all-features \
      --config "patch.crates-io.websocket-proto.path = '$dir/websocket-proto-$version'"
  done
}
