# The examples behind reverse proxies.

# Each way through a proxy makes exactly 11 checks, with and without compression.
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

# behind CONFIGURATION WAYS COMMAND...: fills the port of each way, and those of the two servers
# behind them, into the configuration, and passes its path to the command. A way is FRONT_to_BACK.
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
      grep -q ': 11 checks passed$' "$cache/logs/$step.peer" || die "not 11 checks on the way $way"
    done
    still_alive "${servers[0]}"
    still_alive "${servers[1]}"
    still_alive "$proxy"
  done
}
