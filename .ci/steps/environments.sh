# The steps of the environments that are no runtime of Rust: io_uring, WebAssembly and C. Each example is
# a package of its own. They share a target directory.

# echoes NAME CONNECTIONS PROCESS [OPTION]...: the client of all of them, on $port.
echoes() {
  peer "$tools/venv/bin/python" "$ci/peers/environment.py" "$1" "ws://127.0.0.1:$port/" "$2" "${@:4}"
  still_alive "$3"
}

# Receive buffers that all connections share.
step_uring() {
  local port server reason
  reason=$(python3 "$ci/peers/io_uring.py") || skip "$reason"
  export CARGO_TARGET_DIR=$cache/target-environments
  cargo build --release --manifest-path examples/uring/Cargo.toml
  port=$(free_port)
  "$CARGO_TARGET_DIR/release/uring" "127.0.0.1:$port" & server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  echoes uring 500 "$server" "$server"
}
