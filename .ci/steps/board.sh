# The step `board`: runs `examples/board` as firmware of two emulated boards, with a Cortex-M0 and a
# Cortex-M3. `.ci/steps.sh` sources this file, which uses its helpers.

# Each board passes the Autobahn cases whose messages fit its buffers, reports its largest stack
# depth, and counts the instructions of an echo.
step_board() {
  needs $debian_rust
  needs qemu-system-arm
  needs llvm-14
  [ -x "$tools/venv/bin/kosoku" ] || die "install the tools first: bash .ci/run tools"
  # The flags of the step `bare_example`, so that `core` is built once for both.
  builds_in board
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zemit-stack-sizes
  export CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER
  CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER=$(rust_lld)
  CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER=$CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER
  board microbit thumbv6m-none-eabi "1 2 3 4 5 6 7"
  board mps2-an385 thumbv7m-none-eabi "1 2 5 7"
}

# board MACHINE TARGET GROUPS: MACHINE is a machine of QEMU. The first word of its name is the
# feature.
board() {
  local machine=$1 target=$2 groups=$3 firmware=$cache/$1.elf log=$cache/$1.log report=$cache/autobahn/$1
  local status=0 bridge port cases verdicts
  firmware measure
  timeout 20 qemu-system-arm -M "$machine" -icount shift=0 -kernel "$firmware" -display none -monitor none \
    -serial null -semihosting-config enable=on,target=native >"$log" 2>&1 </dev/null || die "the board cannot measure: $(<"$log")"
  [ "$(grep -c '^instructions [1-9]' "$log")" -eq 4 ] || die "instead of 4 counts: $(<"$log")"
  note "$machine: $(sed 's/^instructions //' "$log" | paste -sd, | sed 's/,/, /g') instructions"

  firmware ""
  rm -rf "$report" "$log"
  port=$(free_port)
  python3 examples/board/bridge.py "$port" "$machine" "$firmware" "$log" &
  bridge=$!
  children+=("$bridge")
  wait_for_port "$port" "$bridge"
  # Messages of 64 KiB do not fit the buffers.
  cases=($(printf -- '--include=%s.* ' $groups) --exclude=1.{1,2}.{6,7,8})
  timeout 120 "$tools/venv/bin/kosoku" -p 2 -o "$report" "${cases[@]}" "127.0.0.1:$port" || status=$?
  still_alive "$bridge"
  [ -f "$report/index.json" ] || die "no report; the run ended with status $status"
  verdicts=$(python3 - "$report/index.json" $groups <<'PYTHON'
import collections, json, sys
path, *groups = sys.argv[1:]
count = {"1": 10, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37}
# Cases without a required result: Closes with codes from 5000 upwards, and a failed Close after
# data.
informational = {"7.1.6", "7.13.1", "7.13.2"}
((_, cases),) = json.load(open(path)).items()
found = collections.Counter(name.split(".")[0] for name in cases)
wanted = {group: count[group] for group in groups}
if found != wanted:
    sys.exit(f"cases of each group: {dict(found)}; wanted: {wanted}")
verdicts = collections.Counter()
for name, case in cases.items():
    good = {"OK", "INFORMATIONAL"} if name in informational else {"OK"}
    if not {case["behavior"], case["behaviorClose"]} <= good:
        sys.exit(f"{name}: {case['behavior']}, {case['behaviorClose']}")
    verdicts[case["behavior"]] += 1
print(", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())))
PYTHON
  ) || die "the verdicts are not as they should be"
  note "$machine: $verdicts"
  [ "$status" -eq 0 ] || die "the run ended with status $status"
  absent grep -q '^panic' "$log" || die "the board panicked: $(grep -m 1 '^panic' "$log")"
  local stack
  stack=$(sed -n 's/^stack \([0-9]*\) .*/\1/p' "$log" | sort -n | tail -n 1)
  # The stack contains the buffers of 3 KiB.
  [ "${stack:-0}" -gt 3072 ] || die "no board has stated its stack"
  [ "$stack" -le 9216 ] || die "the stack is $stack bytes deep"
  note "$machine: $(llvm-size "$firmware" | awk 'NR == 2 { print $1 + $2 " bytes of flash, " $2 + $3 " of static RAM" }'), stack $stack with the buffers"
}

# firmware FEATURE: builds $firmware for $machine and $target.
firmware() {
  /usr/bin/cargo build --manifest-path examples/board/Cargo.toml --release --target "$target" \
    -Zbuild-std=core -Zbuild-std-features=compiler-builtins-mem --features "${machine%%-*},$1"
  cp "$CARGO_TARGET_DIR/$target/release/board" "$firmware"
}
