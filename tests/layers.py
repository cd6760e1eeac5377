#!/usr/bin/env python3
"""Check that includes go only where tests/layers.txt lets them, without cycles."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
LIBRARY = re.compile(r"^\s*#\s*include\s+<(event2|hiredis|ini|nghttp2|openssl|pb|pcre2|yaml)(?:\b|_)",
                     re.MULTILINE)


def read_table(path):
    allowed = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line:
            layer, _, below = line.partition(":")
            allowed[layer] = set(below.split())
    return allowed


def layer_of(path):
    """The folder right below src/ that a file is in."""
    return pathlib.PurePath(path).parts[0]


def find_cycle(allowed):
    """A layer from which the table leads back to itself, or None."""
    for start in allowed:
        seen, todo = set(), list(allowed[start])
        while todo:
            layer = todo.pop()
            if layer == start:
                return start
            if layer not in seen:
                seen.add(layer)
                todo += allowed.get(layer, ())
    return None


def main():
    allowed = read_table(ROOT / "tests" / "layers.txt")
    cycle = find_cycle(allowed)
    wrong = [f"tests/layers.txt: {cycle} is above itself"] if cycle else []
    files = sorted(p for p in (ROOT / "src").rglob("*.[ch]"))
    for file in files:
        name = file.relative_to(ROOT / "src")
        layer = layer_of(name)
        if layer not in allowed:
            wrong.append(f"src/{name}: {layer} is no layer of tests/layers.txt")
            continue
        text = file.read_text(encoding="utf-8")
        for library in LIBRARY.findall(text):
            if f"<{library}>" not in allowed[layer]:
                wrong.append(f"src/{name}: {layer} must not use {library}")
        for include in INCLUDE.findall(text):
            if include.endswith((".inc", ".pb.h")):
                continue  # what is built: the scripts, the status page, messages
            if layer_of(include) not in allowed[layer] | {layer}:
                wrong.append(f"src/{name}: {layer} must not include {include}")
    for line in wrong:
        print(line)
    print(f"layers: {len(files)} files, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
