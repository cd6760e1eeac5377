#!/usr/bin/env python3
"""Check what a reader may rely on, and neither compiler nor formatter does.  Of src/:

- a static function begins with the name of its file (link_fail() is in link.c), with
  the first words of that, or with the name of a struct that the file defines; in
  main.c, with main or the name of the folder;
- no two functions have the same name;
- no two structs, unions or enums have the same tag;
- no function is longer than 80 lines, and no file than 500;
- <sys/queue.h>, which musl does not have, is base/list.h;
- a .c file of more than 150 lines begins with a comment that says where its heart is.

Of the documents: each link to a file, and each path in backticks, leads to one.

Reads C as .clang-format leaves it: a definition's name, { and } are at the left.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md")),
             *sorted((ROOT / "src").rglob("*.md")), *sorted((ROOT / "tests").rglob("*.md"))]
LINES_MAX = 80
FILE_LINES_MAX = 500
COMMENT_FROM = 150

FUNCTION = re.compile(
    r"^(?P<type>[A-Za-z_][^\n;={}()#]*?)[ \n*]*\b(?P<name>[a-z_]\w*)\((?P<rest>[^;{}]*?)\)"
    r"\n\{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:c|h|py|md|txt|lua|ini|in|sh|[1-8]))`")
TAG = re.compile(r"^\s*(?:static |const |typedef )*((?:struct|union|enum) \w+) \{\n",
                 re.MULTILINE)


def functions(text):
    """(name, is static, line, lines) of each that is defined."""
    for match in FUNCTION.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield (match["name"], match["type"].split()[0] == "static", line,
               match[0].count("\n") + 1)


def prefixes(name, text):
    """What the name of a static function may begin with, or be."""
    if name.stem == "main":
        return {"main", name.parent.name}
    words = name.stem.split("_")
    return {"_".join(words[:i + 1]) for i in range(len(words))} | {
        tag.split()[1] for tag in TAG.findall(text)}


def check_file(name, text):
    starts = prefixes(name, text)
    for function, is_static, line, lines in functions(text):
        where = f"src/{name}:{line}: {function}()"
        if is_static and name.suffix == ".c" and function not in starts and \
                not function.startswith(tuple(start + "_" for start in starts)):
            yield f"{where} does not begin with {name.stem}_"
        if lines > LINES_MAX:
            yield f"{where} has {lines} lines, more than {LINES_MAX}"
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"src/{name} has {lines} lines, more than {FILE_LINES_MAX}"
    if "#include <sys/queue.h>" in text:
        yield f"src/{name}: includes <sys/queue.h>; base/list.h has the same"


def check_head(name, text):
    if name.suffix == ".c" and text.count("\n") > COMMENT_FROM and \
            not re.match(r"/\*(?:(?!\*/).)*\bheart\b", text, re.DOTALL | re.IGNORECASE):
        yield f"src/{name}: has more than {COMMENT_FROM} lines, and no head that names its heart"


def check_names(texts):
    """Functions and tags that are defined twice."""
    places = collections.defaultdict(list)
    for name, text in texts.items():
        for tag in TAG.findall(text):
            places[tag].append(f"src/{name}")
        for function, *_ in functions(text):
            if function != "main":
                places[function + "()"].append(f"src/{name}")
    for what, names in places.items():
        if len(names) > 1:
            yield f"{what} is defined in {' and '.join(names)}"


def check_document(file):
    """Links start at the file, paths there, at the root or in src/."""
    text = file.read_text(encoding="utf-8")
    name = file.relative_to(ROOT)
    for link in LINK.findall(text):
        if not (file.parent / link).exists():
            yield f"{name}: {link} does not exist"
    for path in PATH.findall(text):
        if "NAME" not in path and not any(
                (folder / path).exists() for folder in (file.parent, ROOT, ROOT / "src")):
            yield f"{name}: {path} does not exist"


def main():
    texts = {file.relative_to(ROOT / "src"): file.read_text(encoding="utf-8")
             for file in sorted((ROOT / "src").rglob("*.[ch]"))}
    wrong = [line for name, text in texts.items() for line in check_file(name, text)]
    wrong += check_names(texts)
    wrong += [line for name, text in texts.items() for line in check_head(name, text)]
    for file in DOCUMENTS:
        wrong += check_document(file)
    for line in wrong:
        print(line)
    count = sum(1 for text in texts.values() for _ in functions(text))
    print(f"style: {count} functions, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
