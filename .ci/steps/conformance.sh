# The examples, tested with Autobahn and with peers.

step_build() {
  builds_in examples
  CARGO_TARGET_DIR=$target cargo build --release --examples --features deflate,http,tls
}

# Runs all cases with context takeover where the case allows it, then those for which the server's
# flags make a difference.
step_autobahn_server() {
  autobahn_server echo_server "--deflate --takeover"
  autobahn_server echo_server "--deflate" 12.1 12.4 13.1 13.3
}

# autobahn_server EXAMPLE FLAGS GROUP...: FLAGS are those of the server. Without groups all cases
# are run.
autobahn_server() {
  local example=$1 flags=$2 groups=("${@:3}") status=0 port server
  local report=$cache/autobahn/$example${flags// /} cases=("${groups[@]/%/.*}")
  rm -rf "$report"
  start_example "$example" $flags
  "$tools/venv/bin/kosoku" -p 2 -o "$report" "${cases[@]/#/--include=}" "127.0.0.1:$port" || status=$?
  still_alive "$server"
  verdict "$report" "$status" "${groups[@]}"
}

step_autobahn_client() { autobahn_client autobahn_client websocket-proto; }

# autobahn_client EXAMPLE AGENT
autobahn_client() {
  local report=$cache/autobahn/$1 status=0 port suite
  [ -x "$examples/$1" ] || die "build the examples first: bash .ci/run build"
  rm -rf "$report"
  port=$(free_port)
  "$tools/venv/bin/kosoku" -m fuzzingserver -o "$report" "127.0.0.1:$port" &
  suite=$!
  children+=("$suite")
  wait_for_port "$port" "$suite"
  "$examples/$1" "ws://127.0.0.1:$port" "$2" --deflate --takeover || status=$?
  # The suite ends only after the client's last request.
  if [ "$status" -eq 0 ]; then wait "$suite" || status=$?; fi
  verdict "$report" "$status"
}

# verdict REPORT STATUS GROUP...: prints the results first, so that they are seen even if the run
# failed.
verdict() {
  local counts faults=0
  [ -f "$1/index.json" ] || die "no report; the run ended with status $2"
  counts=$(python3 "$ci/autobahn.py" "$1/index.json" "${@:3}") || faults=1
  printf '%s\n' "$counts"
  note "${counts%%$'\n'*}"
  [ "$2" -eq 0 ] || die "the run ended with status $2"
  return "$faults"
}

# peer COMMAND...: the last line of its output says how many checks it made.
peer() {
  local out=$cache/logs/$step.peer
  "$@" 2>&1 | tee "$out"
  grep -qE ': [1-9][0-9]* checks passed$' "$out" || die "no checks ran"
  note "$(tail -n 1 "$out")"
}

# Without compression, with it, and with context takeover.
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

# Browsers whose WebSockets are streams of HTTP/2.
step_peer_chromium_http2() {
  local browser
  browser=$(command -v chromium) || skip "chromium is not installed and cannot be"
  browser_http2 chromium_streams.cjs "$browser" "$cache/logs/$step.netlog" h2 crates/tokio/tests/tls/cert.pem
}

step_peer_firefox_http2() {
  needs firefox-esr
  browser_http2 firefox_http2.cjs /usr/bin/firefox-esr "$cache/firefox"
}

# browser_http2 SCRIPT ARGUMENTS...: with the example `h2` inside TLS, by the certificate of the tests.
browser_http2() {
  local flags tls=crates/tokio/tests/tls
  for flags in "" --deflate; do
    start_example h2 --tls "$tls/cert.pem" "$tls/key.pem" $flags
    NODE_PATH=$tools/node/node_modules peer node "$ci/peers/$1" "https://127.0.0.1:$port/" "${@:2}" $flags
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

# Every example, with idle connections and with slow peers.
step_idle() { peer python3 "$ci/peers/idle.py" "$examples"; }

step_hostile() { peer python3 "$ci/peers/hostile.py" "$examples"; }

# Tests an echoing example, started with the arguments after its address, with the Python client.
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

# Without TLS, and inside TLS with the certificate of the tests.
step_peer_tokio() {
  echo_example tokio ws
  export SSL_CERT_FILE=$PWD/crates/tokio/tests/tls/cert.pem
  echo_example tokio wss --tls crates/tokio/tests/tls/cert.pem crates/tokio/tests/tls/key.pem
}

# Client and server in one process, both over the crate `h2`. Then the server with a client that
# shares no code with this crate.
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
