#!/usr/bin/env python3
"""Judges a report of the Autobahn cases more strictly than the runner does.

Usage: autobahn.py path/to/index.json

The runner passes NON-STRICT and INFORMATIONAL, and a run without any case. Here the number of
cases, the verdict of each and the cases that may be informational are fixed.
"""

import collections
import json
import sys

CASES = 301
# Which code answers a failed Close after data, and codes from 5000 upwards: no verdict is due.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def judge(report):
    """The faults of a parsed index.json, and a count of its verdicts."""
    if not isinstance(report, dict) or len(report) != 1:
        return [f"expected one agent, found {list(report)}"], ""
    ((agent, cases),) = report.items()
    faults = []
    if len(cases) != CASES:
        faults.append(f"expected {CASES} cases, found {len(cases)}")
    groups = {name.split(".")[0] for name in cases}
    if groups != {"1", "2", "3", "4", "5", "6", "7", "9", "10"}:
        faults.append(f"unexpected groups {sorted(groups)}")
    for name in sorted(INFORMATIONAL - cases.keys()):
        faults.append(f"{name} is missing")
    for name, case in cases.items():
        behavior, close = case.get("behavior"), case.get("behaviorClose")
        wanted = "INFORMATIONAL" if name in INFORMATIONAL else "OK"
        if behavior != wanted or close not in ("OK", "INFORMATIONAL"):
            faults.append(f"{name}: behavior {behavior}, behaviorClose {close}")
    behaviors = collections.Counter(str(case.get("behavior")) for case in cases.values())
    closes = collections.Counter(str(case.get("behaviorClose")) for case in cases.values())
    return faults, f"{agent}: {len(cases)} cases, behavior {dict(behaviors)}, behaviorClose {dict(closes)}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        faults, counts = judge(json.load(file))
    print(counts)
    for fault in faults:
        print(f"fault: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
