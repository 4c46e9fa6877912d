#!/usr/bin/env python3
"""Other WebSocket libraries, as clients of the echo server and as servers of the echo client.

Usage: libraries.py path/to/examples path/to/packages

The packages are those of `steps/peers.sh`. What is exchanged is in `cases.json`, for both languages:
the library sends each case, and the example echoes it. Then the library closes, and a second
connection is closed by the example. A program of the library is `library.mjs`, `library.py` or
`Library.java`, with the arguments NAME client URL or NAME server. A server prints its port first. The
last line is a result, as JSON. The table has a line for each library, role and compression; all of
them are known here, so that none can be missing.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).parent
EXAMPLES, PACKAGES = (pathlib.Path(path).resolve() for path in sys.argv[1:])
CASES = json.loads((HERE / "cases.json").read_text())
SUBPROTOCOL = CASES["subprotocol"]
MODULES = PACKAGES / "node/node_modules"
NODE = ["node", str(HERE / "library.mjs")]
PYTHON = [str(PACKAGES / "venv/bin/python"), str(HERE / "library.py")]
# The package for this processor is the only one that npm installs.
BUN = [str(next(MODULES.glob("@oven/*/bin/bun"), "bun")), str(HERE / "library.mjs")]
DENO = [str(next(MODULES.glob("@deno/*/deno"), "deno")), "run", "--quiet", "--no-config", "-A", str(HERE / "library.mjs")]
# Debian has Netty, and what reads JSON.
JARS = pathlib.Path("/usr/share/java")
NETTY = [JARS / f"netty-{part}.jar" for part in ("buffer", "codec", "codec-http", "common", "handler", "resolver", "transport")]
JAVA = ["java", "-cp", ":".join(map(str, [JARS / "gson.jar", *NETTY])), f"-Dcases={HERE / 'cases.json'}", str(HERE / "Library.java")]
MODES = {"plain": [], "deflate": ["--deflate"], "takeover": ["--deflate", "--takeover"]}
SECONDS = 30

# The library, its program, what has to be there, and what its interface lacks, in either role.
LIBRARIES = {
    "ws": (NODE, MODULES / "ws", {}),
    "undici": (NODE, MODULES / "undici", {"client": {"fragments"}, "server": "has no server"}),
    "aiohttp": (PYTHON, PACKAGES / "venv/bin/python", {"client": {"fragments"}, "server": {"fragments"}}),
    "picows": (PYTHON, PACKAGES / "venv/bin/python", {}),
    "bun": (BUN, pathlib.Path(BUN[0]), {"client": {"fragments"}, "server": {"fragments"}}),
    "deno": (DENO, pathlib.Path(DENO[0]), {"client": {"fragments", "ping"}, "server": {"fragments", "ping"}}),
    "netty": (JAVA, NETTY[0], {}),
}
# Those that do not compress: these decline, or do not offer it.
PLAIN = {("picows", "client"), ("picows", "server"), ("deno", "client"), ("deno", "server")}


class Failure(Exception):
    pass


def start(command):
    environment = os.environ | {"NODE_PATH": str(MODULES)}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment)
    process.limit = threading.Timer(SECONDS, process.kill)
    process.limit.start()
    return process


def end(process):
    """What the process still prints, and its status; a process that does not end is killed."""
    output, _ = process.communicate()
    process.limit.cancel()
    return output, process.returncode


def result_of(process):
    output, status = end(process)
    lines = output.splitlines()
    if status != 0 or not lines:
        raise Failure(f"the library ended with status {status} and no result")
    return json.loads(lines[-1])


def client(command, flags):
    """The library is the client."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "%s:%d" % free.getsockname()
    limits = ["--max-message", str(CASES["limit"]), "--subprotocol", SUBPROTOCOL]
    example = start([EXAMPLES / "echo_server", address, *limits, *flags])
    try:
        if not example.stdout.readline().startswith("listening"):
            raise Failure("the echo server did not start")
        result = result_of(start([*command, "client", f"ws://{address}/"]))
        if example.poll() is not None:
            raise Failure("the echo server did not survive its peer")
    finally:
        example.kill()
        end(example)
    return result, "permessage-deflate" in (result.get("extensions") or "")


def server(command, flags):
    """The library is the server."""
    library = start([*command, "server"])
    try:
        port = library.stdout.readline().strip()
        if not port.isdigit():
            raise Failure("the library did not start")
        url = f"ws://127.0.0.1:{port}/"
        common = ["--subprotocol", SUBPROTOCOL, *flags]
        printed = []
        code, reason = map(str, CASES["close"])
        for act in (["--echo"], ["--ping", "payload", "--send", "hello", "--close", code, reason]):
            output, status = end(start([EXAMPLES / "echo_client", url, *act, *common]))
            printed.append(output)
            if status != 0:
                library.kill()
                raise Failure(f"echo_client {act[0]} ended with status {status}")
        result = result_of(library)
    finally:
        library.kill()
        library.limit.cancel()
    if f"CloseCode({code})" not in printed[0] or f'"{reason}"' not in printed[0]:
        raise Failure("the code and the reason of the library did not arrive")
    if "pong payload" not in printed[1].splitlines():
        raise Failure("the library answered no Ping")
    # Some servers do not know what they agreed on; the example prints what it was told.
    agreed = f"subprotocol {SUBPROTOCOL}" in printed[0].splitlines()
    result["subprotocol"] = SUBPROTOCOL if agreed else None
    return result, "Deflate" in printed[0]


def row(name, role, mode):
    """The version, the verdict, and whether that is a success."""
    command, needed, lacks = LIBRARIES[name]
    missing = lacks.get(role, set())
    if isinstance(missing, str):
        return "", missing, True
    if not needed.exists():
        return "", "skipped: not installed, and cannot be", True
    run = {"client": client, "server": server}[role]
    # All cases that the interface has, the subprotocol, the compression and the two Closes.
    total = sum(kind not in missing for kind, *_ in CASES["cases"]) + 4
    try:
        result, compresses = run([*command, name], MODES[mode])
    except (Failure, ValueError) as error:
        return "", f"0/{total}: {error}", False
    expected = mode != "plain" and (name, role) not in PLAIN
    faults = [result["failed"]] if "failed" in result else []
    passed = result["passed"]
    for what, right in (
        (f"subprotocol {result.get('subprotocol')!r}", result.get("subprotocol") == SUBPROTOCOL),
        ("compressed" if compresses else "not compressed", compresses == expected),
    ):
        passed += right
        faults += [] if right else [what]
    if not faults and set(result["cannot"]) != missing:
        faults.append(f"has no {result['cannot']}")
    notes = [] if mode == "plain" or expected else ["does not compress"]
    notes += [f"cannot send {kind}" for kind in sorted(missing)]
    verdict = "; ".join([f"{passed}/{total}", *faults, *notes])
    return result["version"], verdict, not faults and passed == total


def main():
    rows, checks, good = 0, 0, True
    for name in LIBRARIES:
        for role in ("client", "server"):
            for mode in MODES:
                version, verdict, right = row(name, role, mode)
                print(f":: {name + ' ' + version:16} {role:6} {mode:8} {verdict}", flush=True)
                good &= right
                rows += 1
                checks += int(verdict.split("/")[0]) if verdict[0].isdigit() else 0
    if rows != 42 or checks == 0 or not good:
        sys.exit(f"libraries: failed, with {checks} checks passed in {rows} lines")
    print(f"libraries: {rows} lines: {checks} checks passed")


main()
