#!/usr/bin/env python3
"""Sees that programs call every public function of the crate by its full name.

    public.py JSON PROGRAM...

JSON is what rustdoc says of the crate, PROGRAM the source of one. A method has its type in front of it,
that of a trait the trait, and where a type implements a trait by hand both, as in
`<Text<'_> as Deref>::deref`, or the helper for it, as in `display::<Full>`. Of what is derived only
`Debug` is asked for.
"""

import json
import pathlib
import re
import sys

HELPERS = {"Display": "display", "Debug": "debug"}


class Crate:
    def __init__(self, described):
        self.index = described["index"]
        self.root = described["root"]

    def items(self, ids):
        """Of those that are in this crate: the kind, the name and the rest."""
        for item in filter(None, (self.index.get(str(at)) for at in ids)):
            [(kind, inner)] = item["inner"].items()
            yield kind, item["name"], inner, "automatically_derived" in str(item["attrs"])

    def functions(self, ids):
        return [name for kind, name, _, _ in self.items(ids) if kind == "function"]

    def public(self, ids):
        """A name for each function, and a pattern for its call."""
        for kind, name, inner, _ in self.items(ids):
            if kind == "function":
                yield name, rf"\b{name}\("
            elif kind == "use":
                yield from self.public([inner["id"]])
            elif kind == "module":
                yield from self.public(inner["items"])
            elif kind == "trait":
                for method in self.functions(inner["items"]):
                    yield f"{name}::{method}", rf"\b{name}(<.*>)?>?::{method}\("
            elif kind in ("struct", "enum"):
                yield from self.methods(inner["impls"])

    def methods(self, impls):
        for _, _, inner, derived in self.items(impls):
            trait = inner["trait"] and inner["trait"]["path"].split("::")[-1]
            if derived and trait != "Debug" or inner["is_synthetic"] or inner["blanket_impl"]:
                continue
            of = inner["for"].get("primitive") or inner["for"]["resolved_path"]["path"].split("::")[-1]
            for method in self.functions(inner["items"]):
                if trait is None:
                    yield f"{of}::{method}", rf"\b{of}::{method}\("
                elif trait in HELPERS:
                    yield f"{trait} for {of}", rf"\b{HELPERS[trait]}::<{of}\b"
                else:
                    yield f"{trait} for {of}", rf"<{of}(<.*>)? as {trait}(<.*>)?>::{method}\("


def main(described, *programs):
    crate = Crate(json.loads(pathlib.Path(described).read_text()))
    text = "".join(pathlib.Path(program).read_text() for program in programs)
    public = dict(crate.public([crate.root]))
    if missing := [name for name, call in public.items() if not re.search(call, text)]:
        sys.exit("error: not called: " + ", ".join(missing))
    print(f"{len(public)} public functions")


main(*sys.argv[1:])
