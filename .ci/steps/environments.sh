# Steps for environments without a Rust runtime: io_uring, HTTP/3, WebAssembly and C. Each example is a
# package of its own.

# checked NAME FLAGS...: checks the format and the lints of an example. FLAGS are those of its build.
# The other steps check only the workspace.
checked() {
  cargo fmt --check --manifest-path "examples/$1/Cargo.toml"
  cargo clippy --release --manifest-path "examples/$1/Cargo.toml" "${@:2}" -- -D warnings
}

# serves NAME CONNECTIONS COMMAND...: starts a server with its port in place of @, and echoes with
# it. Sets $server to its process.
serves() {
  local command=("${@:3}")
  port=$(free_port)
  "${command[@]/@/$port}" & server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  echoes "$1" "$2"
}

# echoes NAME CONNECTIONS [PROCESS]: runs the client that they have in common.
echoes() {
  peer "$tools/venv/bin/python" "$ci/peers/environment.py" "$1" "ws://127.0.0.1:$port/" "${@:2}"
  still_alive "$server"
}

# All connections share the receive buffers, and none has a buffer of its own.
step_uring() {
  local port server reason
  reason=$(python3 "$ci/peers/io_uring.py") || skip "$reason"
  builds_in uring
  checked uring
  cargo build --release --manifest-path examples/uring/Cargo.toml
  port=$(free_port)
  "$CARGO_TARGET_DIR/release/uring" "127.0.0.1:$port" & server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  echoes uring 500 "$server"
}

# What `h3` builds: the program, and its certificate with the key.
h3=$cache/target-h3/release/h3
h3_tls=("$cache/h3/cert.pem" "$cache/h3/key.pem")

# WebSockets over HTTP/3: our client and our server with each other, and each with aioquic and wsproto.
step_h3() {
  # So that `peer_chromium_http3` never meets the program of another commit.
  rm -f "$h3"
  needs cmake g++ libclang-14-dev openssl
  local venv=$tools/h3 port server
  # BoringSSL is built without optimisation, because it takes longer to build than to run here.
  local flags=(--config profile.release.package.boring-sys.opt-level=0)
  builds_in h3
  checked h3 "${flags[@]}"
  cargo build --release --manifest-path examples/h3/Cargo.toml "${flags[@]}"
  mkdir -p "$cache/h3"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "${h3_tls[1]}" -out "${h3_tls[0]}"
  peer "$h3" "${h3_tls[@]}"

  if [ "$(cat "$venv/packages" 2>/dev/null)" != "$python_h3" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check $python_h3 || skip "$python_h3 cannot be installed here"
    echo "$python_h3" >"$venv/packages"
  fi
  peer "$venv/bin/python" "$ci/peers/http3.py" server "${h3_tls[@]}" "$h3" client
  serve_h3
  peer "$venv/bin/python" "$ci/peers/http3.py" client "$port" "${h3_tls[0]}"
  still_alive "$server"
}

# Chromium, whose WebSockets are streams of the connection that brought the page.
step_peer_chromium_http3() {
  local browser port server
  browser=$(command -v chromium) || skip "chromium is not installed and cannot be"
  [ -x "$h3" ] && [ -f "${h3_tls[0]}" ] || skip "the step h3 has not built the server"
  serve_h3
  NODE_PATH=$tools/node/node_modules peer node "$ci/peers/chromium_streams.cjs" "https://127.0.0.1:$port/echo" \
    "$browser" "$cache/logs/$step.netlog" h3 "${h3_tls[0]}" --deflate
  still_alive "$server"
}

# serve_h3: starts the server over HTTP/3. Sets $port and $server, its process.
serve_h3() {
  local out line
  exec {out}< <(exec "$h3" server 127.0.0.1:0 "${h3_tls[@]}")
  server=$!
  children+=("$server")
  # It says where it listens. Chromium gives up if nobody does.
  read -r line <&"$out"
  port=${line##*:}
  port=${port%/*}
  cat <&"$out" &
}

# A module without imports, connected to the sockets of Node.
step_wasm_node() {
  needs $debian_rust
  builds_in wasm
  checked wasm
  local port server module target=wasm32-unknown-unknown
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rust_lld)
  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo build --release --manifest-path examples/wasm/Cargo.toml \
    -Zbuild-std=std,panic_abort --target "$target"
  module=$CARGO_TARGET_DIR/$target/release/websocket_proto_wasm.wasm
  note "$(stat -c %s "$module") bytes of WebAssembly"
  serves wasm 200 node examples/wasm/server.cjs "$module" @
  NODE_PATH=$tools/node/node_modules peer node "$ci/peers/node.cjs" wasm "ws://127.0.0.1:$port/" 200
  still_alive "$server"
}

# The shim's servers: in C, again under valgrind, which fails on leaks and on use of freed memory,
# and in Python.
step_c_shim() {
  needs valgrind
  builds_in c
  checked c
  local port server status=0 release=$CARGO_TARGET_DIR/release
  cargo build --release --manifest-path examples/c/Cargo.toml
  cc -std=c11 -O1 -g -Wall -Wextra -Werror -o "$release/server" examples/c/server.c "$release/libwebsocket_proto_c.a" -lm
  serves "C with poll" 300 "$release/server" @
  serves "Python with asyncio" 100 python3 examples/c/server.py "$release/libwebsocket_proto_c.so" @
  serves "C under valgrind" 20 valgrind --quiet --leak-check=full --error-exitcode=99 "$release/server" @
  kill "$server"
  wait "$server" || status=$?
  [ "$status" -eq 0 ] || die "the C server ended with status $status under valgrind"
}
