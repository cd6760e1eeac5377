#!/usr/bin/env python3
"""Draw a report of bench.py as a chart in SVG.

    chart.py FIGURES.json > figures.svg

A bar is a ratio on a log axis, from 1; a line across it is the target.
"""

import html
import json
import math
import pathlib
import sys

from rows import AT_LEAST

LABEL, PLOT, VALUE = 356, 400, 84  # widths: the words, the bars, the ratio
LINE, HEAD, FOOT = 24, 58, 44      # heights
BAR = 12

# Light first; dark where the reader's browser asks for it.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.small, .tick { font-size: 11px; fill: #57606a }
.back { fill: #ffffff }
.grid { stroke: #d0d7de; stroke-width: 1 }
.one { stroke: #57606a; stroke-width: 1 }
.met { fill: #2da44e } .missed { fill: #d1242f }
.range { stroke: #24292f; stroke-width: 1 }
.target { stroke: #8250df; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small, .tick { fill: #9198a1 } .back { fill: #0d1117 }
.grid { stroke: #30363d } .one { stroke: #9198a1 }
.met { fill: #3fb950 } .missed { fill: #f85149 }
.range { stroke: #e6edf3 } .target { stroke: #d2a8ff }
}"""

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" '
            f'text-anchor="{anchor}">{html.escape(words)}</text>')


def upright(x, top, bottom, kind):
    return (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" '
            f'y2="{bottom:.1f}" class="{kind}"/>')


class Axis:
    """Ratios from left to right, as far as there are any."""

    def __init__(self, claims):
        seen = [value for claim in claims
                for value in (claim["min"], claim["max"], claim["target"])]
        self.ticks = [t for t in TICKS
                      if min(seen) / 2.5 < t < max(seen) * 2.5]
        self.low = math.log(min(self.ticks[0], *seen))
        self.high = math.log(max(self.ticks[-1], *seen))

    def x(self, ratio):
        share = (math.log(max(ratio, 1e-9)) - self.low) / (self.high - self.low)
        return LABEL + PLOT * min(1, max(0, share))


def draw_claim(axis, claim, top):
    middle = top + LINE / 2
    one, end = axis.x(1), axis.x(claim["ratio"])
    low, high = axis.x(claim["min"]), axis.x(claim["max"])
    kind = "missed" if claim["verdict"] == "missed" else "met"
    words = f"{claim['what']} / {claim['against']}"
    yield text(LABEL - 10, middle + 4, words, anchor="end")
    yield (f'<rect x="{min(one, end):.1f}" y="{middle - BAR / 2:.1f}" '
           f'width="{max(1, abs(end - one)):.1f}" height="{BAR}" '
           f'class="{kind}"/>')
    yield (f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" '
           f'y2="{middle:.1f}" class="range"/>')
    yield upright(axis.x(claim["target"]), middle - 9, middle + 9, "target")
    yield text(LABEL + PLOT + 10, middle + 4, f"{claim['ratio']:.2f}")


def draw_axis(axis, bottom):
    for tick in axis.ticks:
        x = axis.x(tick)
        yield upright(x, HEAD - 4, bottom, "one" if tick == 1 else "grid")
        yield text(x, bottom + 14, f"{tick:g}", "tick", "middle")


def draw_group(axis, title, claims, top):
    yield text(8, top + LINE / 2 + 4, title, "title")
    for i, claim in enumerate(claims, 1):
        yield from draw_claim(axis, claim, top + i * LINE)


def draw(report):
    """Return the chart of a report as the text of an SVG file."""
    claims = [claim for row in report["rows"] for claim in row["claims"]]
    groups = [("More is better",
               [c for c in claims if c["figure"] in AT_LEAST]),
              ("Less is better",
               [c for c in claims if c["figure"] not in AT_LEAST])]
    groups = [(title, members) for title, members in groups if members]
    axis = Axis(claims)
    bottom = HEAD + LINE * sum(1 + len(members) for _, members in groups)
    width, height = LABEL + PLOT + VALUE, bottom + FOOT
    parts = [f'<rect width="{width}" height="{height}" class="back"/>',
             text(8, 22, "dripgated beside something else on the same machine: "
                  "ratios, log axis", "title"),
             text(8, 40, "bar: median of the rounds; thin line: smallest to "
                  "largest; purple: the target", "small"),
             *draw_axis(axis, bottom)]
    top = HEAD
    for title, members in groups:
        parts += draw_group(axis, title, members, top)
        top += LINE * (1 + len(members))
    parts.append(text(8, height - 10, report["machine"], "small"))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" role="img">\n'
            f"<title>Figures of make bench</title>\n<style>{STYLE}\n</style>\n"
            + "\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    sys.stdout.write(draw(json.loads(pathlib.Path(sys.argv[1]).read_text())))
