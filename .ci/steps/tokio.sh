# The Autobahn cases through crates/tokio, in both roles. For `steps.sh`, whose helpers it uses.

# Through the messages of `WebSocket`. The flags are those of the step `autobahn_server`. The gate runs
# all groups but most of those of compression, which take most of the time. WHOLE=1 runs all cases.
step_autobahn_tokio_server() {
  if [ -z "${WHOLE-}" ]; then
    autobahn_tokio_server "--deflate --takeover" 1 2 3 4 5 6 7 9 10 12.1 13.1
    return
  fi
  autobahn_tokio_server "--deflate --takeover"
  autobahn_tokio_server "--deflate" 12.1 12.4 13.1 13.3
}

# autobahn_tokio_server FLAGS GROUP...: without groups all of them.
autobahn_tokio_server() {
  local flags=$1 groups=("${@:2}") status=0 port server
  local report=$cache/autobahn/tokio_server${flags// /} cases=("${groups[@]/%/.*}")
  [ -x "$examples/tokio_echo_server" ] || die "build the examples first: bash .ci/run build"
  rm -rf "$report"
  port=$(free_port)
  "$examples/tokio_echo_server" "127.0.0.1:$port" $flags 2>/dev/null &
  server=$!
  children+=("$server")
  wait_for_port "$port" "$server"
  "$tools/venv/bin/kosoku" -p 2 -o "$report" "${cases[@]/#/--include=}" "127.0.0.1:$port" || status=$?
  still_alive "$server"
  verdict "$report" "$status" "${groups[@]}"
}

# Through `Stream` and `Sink`, split. The gate leaves this out, because it takes about ten minutes: run
# it by name when something in `crates/tokio` changes.
step_autobahn_tokio_client() {
  local report=$cache/autobahn/tokio_client status=0 port suite
  [ -x "$examples/tokio_autobahn_client" ] || die "build the examples first: bash .ci/run build"
  rm -rf "$report"
  port=$(free_port)
  "$tools/venv/bin/kosoku" -m fuzzingserver -o "$report" "127.0.0.1:$port" &
  suite=$!
  children+=("$suite")
  wait_for_port "$port" "$suite"
  "$examples/tokio_autobahn_client" "ws://127.0.0.1:$port" websocket-proto-tokio --deflate --takeover || status=$?
  # Without the last request of the client, the suite would not end.
  if [ "$status" -eq 0 ]; then wait "$suite" || status=$?; fi
  verdict "$report" "$status"
}
