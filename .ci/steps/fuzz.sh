# Fuzzing.

# Runs each target for a short time, two at once, to see that it works and finds nothing at once.
# Findings are in fuzz/artifacts.
step_fuzz() {
  local targets found=0 name
  targets=$(cargo +nightly fuzz list)
  [ -n "$targets" ] || die "no fuzz targets"
  rm -rf "$cache/fuzz"
  mkdir -p "$cache/fuzz"
  builds_in fuzz
  unset CARGO_TARGET_DIR
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
