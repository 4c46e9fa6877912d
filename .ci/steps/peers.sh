# Other WebSocket libraries, as clients and as servers, in one table.

peers_node="ws@8.23.0 undici@7.30.2 bun@1.4.5 deno@2.9.6"
peers_python="aiohttp==3.14.5 picows==2.3.1"

peers_debian="openjdk-17-jdk-headless libnetty-java libgoogle-gson-java"

# The packages of npm and of Python are installed in directories of their own, apart from those of
# other steps.
install_peers() {
  local node=$tools/peers/node venv=$tools/peers/venv
  if [ "$(cat "$node/packages" 2>/dev/null)" != "$peers_node" ]; then
    rm -rf "$node"
    mkdir -p "$node"
    echo '{ "private": true }' >"$node/package.json"
    # The binaries of bun and deno are packages that these two depend on, so no install script has
    # to run.
    if npm install --prefix "$node" --no-audit --no-fund --ignore-scripts --save-exact $peers_node; then
      echo "$peers_node" >"$node/packages"
    else
      note "$peers_node cannot be installed here"
    fi
  fi
  if [ "$(cat "$venv/packages" 2>/dev/null)" != "$peers_python" ]; then
    rm -rf "$venv"
    if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check $peers_python; then
      echo "$peers_python" >"$venv/packages"
    else
      note "$peers_python cannot be installed here"
      rm -rf "$venv"
    fi
  fi
  has_packages $peers_debian || apt_install $peers_debian || note "$peers_debian cannot be installed here"
}

step_peers() {
  [ -x "$examples/echo_server" ] && [ -x "$examples/echo_client" ] || die "build the examples first: bash .ci/run build"
  install_peers
  ls "$tools"/peers/node/packages || ls "$tools"/peers/venv/packages || skip "none of the libraries can be installed"
  peer python3 "$ci/peers/libraries.py" "$examples" "$tools/peers"
}
