# The Autobahn cases through crates/tokio, in both roles.

# Through the messages of `WebSocket`. The flags are those of the step `autobahn_server`. The gate
# leaves out most groups of compression, which take most of the time. WHOLE=1 runs all cases.
step_autobahn_tokio_server() {
  if [ -z "${WHOLE-}" ]; then
    autobahn_server tokio_echo_server "--deflate --takeover" 1 2 3 4 5 6 7 9 10 12.1 13.1
    return
  fi
  autobahn_server tokio_echo_server "--deflate --takeover"
  autobahn_server tokio_echo_server "--deflate" 12.1 12.4 13.1 13.3
}

# Through `Stream` and `Sink`, split. The gate leaves this out, because it takes about ten minutes.
# Run it by name after a change in `crates/tokio`.
step_autobahn_tokio_client() { autobahn_client tokio_autobahn_client websocket-proto-tokio; }
