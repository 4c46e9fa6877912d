#!/usr/bin/env python3
"""Judges a report of the Autobahn cases more strictly than the runner does.

Usage: autobahn.py path/to/index.json [GROUP...]

The runner passes NON-STRICT and INFORMATIONAL, and a run without any case. Here the number of
cases of each group, the verdict of each case and the cases that may be informational are fixed, and
what claims to be compressed has to be smaller. Without groups all of them have to be there.
"""

import collections
import json
import pathlib
import sys

CORE = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}
COMPRESSION = {f"{group}.{number}": 18 for group, last in (("12", 5), ("13", 7)) for number in range(1, last + 1)}
CASES = CORE | COMPRESSION
assert sum(CASES.values()) == 517
# Which code answers a failed Close after data, and codes from 5000 upwards: no verdict is due.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
# Of a group's payload at most this much may be on the wire; the least compressible is a bitmap.
RATIO = 0.9


def group_of(name):
    group, number, *_ = name.split(".")
    return group if group in CORE else f"{group}.{number}"


def judge(report, groups):
    """The faults of a parsed index.json, and a count of its verdicts."""
    if not isinstance(report, dict) or len(report) != 1:
        return [f"expected one agent, found {list(report)}"], ""
    ((agent, cases),) = report.items()
    faults = []
    found = collections.Counter(group_of(name) for name in cases)
    expected = {group: CASES[group] for group in groups}
    for group in sorted(found.keys() | expected.keys()):
        if found[group] != expected.get(group, 0):
            faults.append(f"expected {expected.get(group, 0)} cases of {group}, found {found[group]}")
    for name in sorted(INFORMATIONAL - cases.keys()):
        if group_of(name) in expected:
            faults.append(f"{name} is missing")
    for name, case in cases.items():
        behavior, close = case.get("behavior"), case.get("behaviorClose")
        wanted = "INFORMATIONAL" if name in INFORMATIONAL else "OK"
        if (behavior, close) != (wanted, wanted):
            faults.append(f"{name}: behavior {behavior}, behaviorClose {close}")
    behaviors = collections.Counter(str(case.get("behavior")) for case in cases.values())
    closes = collections.Counter(str(case.get("behaviorClose")) for case in cases.values())
    return faults, f"{agent}: {len(cases)} cases, behavior {dict(behaviors)}, behaviorClose {dict(closes)}"


def judge_sizes(reports):
    """The faults of the parsed reports of cases of compression, and what was saved in all."""
    payload, wire = collections.Counter(), collections.Counter()
    faults = []
    for report in reports:
        # A case that did not run has no traffic.
        name, traffic = report["id"], collections.Counter(report.get("trafficStats"))
        if traffic["incomingWebSocketMessages"] != 1000:
            faults.append(f"{name}: {traffic['incomingWebSocketMessages']} messages")
        payload[group_of(name)] += traffic["incomingOctetsAppLevel"]
        wire[group_of(name)] += traffic["incomingOctetsWebSocketLevel"]
    for group in payload:
        if not 0 < wire[group] < payload[group] * RATIO:
            faults.append(f"{group}: {payload[group]} bytes were sent as {wire[group]}")
    total, sent = sum(payload.values()), sum(wire.values())
    return faults, f"{len(reports)} of compression: {total / 1e9:.1f} GB were sent as {sent / 1e9:.1f} GB"


def main():
    path = pathlib.Path(sys.argv[1])
    report = json.loads(path.read_text(encoding="utf-8"))
    faults, counts = judge(report, sys.argv[2:] or list(CASES))
    files = [case["reportfile"] for cases in report.values() for name, case in cases.items() if group_of(name) in COMPRESSION]
    more, sizes = judge_sizes([json.loads((path.parent / file).read_text(encoding="utf-8")) for file in files])
    print(f"{counts}; {sizes}")
    for fault in (faults := faults + more):
        print(f"fault: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
