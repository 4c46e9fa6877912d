#!/usr/bin/env python3
"""Holds the functions of a program that can panic, read off its machine code, against a list.

    panics.py PROGRAM [LIST...]

A function can panic if it calls one that never returns, as all of `core::panicking` are. The call is
put down to the function in whose source it stands, wherever that was inlined, as "CRATE FILE FUNCTION";
what the standard library does on behalf of its caller, such as indexing and `unwrap`, to that caller.
A LIST has a line of that for each, with `*` for any name, then a colon and the reason why it cannot be
reached. The crate websocket-proto has no place in it. Without a list, nothing can panic.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Never returns, and is no panic.
START = "_start"
# How the panic handler ends, in another library.
END = "abort@plt"
# Where the standard library panics because of what its caller asks for.
ON_BEHALF = r"core (slice/(index|mod)|str/(traits|mod)|array/mod|option|result|ops/.*|iter/.*|num/.*|char/methods)\.rs"


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def disassemble(program):
    """The functions: address: (name, [(address, instruction, address it refers to, operands)])."""
    functions, body = {}, None
    for line in run("objdump", "-d", "-C", "-w", "--no-show-raw-insn", program).splitlines():
        if head := re.fullmatch(r"([0-9a-f]+) <(.*)>:", line):
            body = []
            functions[int(head[1], 16)] = (head[2], body)
        elif found := re.fullmatch(r" *([0-9a-f]+):\t(?:(?:notrack|bnd|repz?) )?(\S+)(.*)", line):
            target = re.search(r"([0-9a-f]+) <", found[3])
            body.append((int(found[1], 16), found[2], target and int(target[1], 16), found[3]))
    return functions


def without_return(functions):
    """The functions with no return, no jump to a place in a register, and none to one that returns."""
    found = {at for at, (name, _) in functions.items() if name != START and "@plt" not in name}
    ends = {at for at, (name, _) in functions.items() if name == END}
    while True:
        rest = set(ends)
        for at in found - ends:
            jumps = [i for i in functions[at][1] if i[1].startswith("j")]
            leaves = any("*" in i[3] or i[2] in functions and i[2] not in found for i in jumps)
            if not leaves and not any(i[1].startswith("ret") for i in functions[at][1]):
                rest.add(at)
        if rest == found:
            return found
        found = rest


def named(function, place):
    """A frame of the symbolizer as "CRATE FILE" and a name."""
    path = place.rsplit(":", 2)[0]
    if inside := re.search(r"/library/(\w+)/src/(.*)", path):
        crate, file = inside.groups()
    elif inside := re.search(r"/registry/src/[^/]+/(.*)-\d[^/]*/src/(.*)", path):
        crate, file = inside.groups()
    else:
        inside = pathlib.Path(path).is_relative_to(ROOT / "src")
        crate, file = "websocket-proto" if inside else "proof", pathlib.Path(path).name
    while function != (function := re.sub(r"<[^<>]*>", "", function)):
        pass
    # A closure stands in another function.
    parts = [part for part in function.split("::") if part and not re.fullmatch(r"h[0-9a-f]{16}|{.*}", part)]
    return f"{crate} {file}", parts[-1] if parts else ""


def blame(program, addresses):
    """For each instruction the function in whose source it stands."""
    text = "".join(f"{address:#x}\n" for address in addresses)
    options = ("--inlines", "--functions=linkage", f"--obj={program}")
    blocks = run("llvm-symbolizer-14", *options, input=text).split("\n\n")
    for block in blocks[: len(addresses)]:
        lines = block.strip().splitlines()
        frames = [named(function, place) for function, place in zip(lines[::2], lines[1::2])]
        first = next((at for at, (file, _) in enumerate(frames) if not re.match(ON_BEHALF, file)), -1)
        yield f"{frames[first][0]} {next(filter(None, (name for _, name in frames[first:])), '?')}"


def can_panic(program):
    functions = disassemble(program)
    never = without_return(functions)
    calls, called = [], set()
    for at, (_, body) in functions.items():
        for address, _, target, _ in body:
            if target in never and target != at:
                called.add(target)
                if at not in never:
                    calls.append(address)
    if by_pointer := never - called:
        sys.exit(f"called by a pointer only: {[functions[at][0] for at in by_pointer]}")
    return set(blame(program, calls)), len(functions)


def main(program, *lists):
    found, count = can_panic(program)
    lines = [line for listed in lists for line in pathlib.Path(listed).read_text().splitlines()]
    listed = {line.split(":")[0] for line in lines if line and not line.startswith("#")}
    faults = [f"can panic: {name}" for name in found if not any(fnmatch.fnmatchcase(name, entry) for entry in listed)]
    faults += [f"cannot panic any more: {entry}" for entry in listed if not fnmatch.filter(found, entry)]
    faults += [f"has no place in a list: {entry}" for entry in listed if not re.match(r"(?!websocket-proto )\w+ ", entry)]
    if faults:
        sys.exit("\n".join(sorted(faults)))
    print(f"{pathlib.Path(program).name}: of {count} functions those of {len(found)} can panic")


main(*sys.argv[1:])
