#!/usr/bin/env python3
"""Measure dripgated against something else that runs beside it.

Every row runs the same load against its sides in turn, several rounds of it,
and reports ratios; the times alone say more about the machine than about us.

    bench.py [--only ROW]... [--json FILE] [--chart FILE]
    bench.py --loader-check     is the load generator the bottleneck?
    bench.py --syscalls         system calls a request

LOAD, DRIPGATED and REDIS_SERVER in the environment name the programs.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

import chart
import checks
from measure import Quiet, bottleneck, measure, medians, per_process
from rows import AT_LEAST, ROWS
from servers import (DRIPGATED, KEYS, LOAD, REDIS_SERVER, ROOT, Failed, Stage)
from table import print_table

CONNS = 50


def words_of(*argv):
    """What a program prints; nothing if it is not there."""
    with contextlib.suppress(OSError):
        return subprocess.run(argv, capture_output=True,
                              text=True).stdout.split()
    return []


def machine():
    """What was measured, and on what."""
    model = "unknown CPU"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    redis = words_of(REDIS_SERVER, "--version")[2].removeprefix("v=")
    build = words_of("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return (f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, "
            f"redis-server {redis}, dripgated {' '.join(build) or '-'}, "
            f"{datetime.date.today()}")


# --- a row


def run_rounds(row, arguments, quiet):
    """Return the sides, and the figures of each in all rounds."""
    load = {"keys": KEYS, "conns": CONNS, "seconds": arguments.seconds,
            "warmup": 0.2, **row.load}
    with Stage(arguments.transport) as stage:
        sides = row.sides(stage)
        results = [[] for _ in sides]
        for i in range(arguments.rounds):
            order = range(len(sides))
            quiet.wait()
            for k in order if i % 2 == 0 else reversed(order):
                results[k].append(measure(sides[k], load))
    return sides, results


def value_of(figures, claim, side):
    if claim.figure == "cpu":
        return figures.cost[claim.processes[side]]
    return getattr(figures, claim.figure)


def judge(claim, ratio):
    sign = 1 if claim.figure in AT_LEAST else -1
    if sign * ratio < sign * claim.target:
        return "missed"
    return "aim" if sign * ratio >= sign * claim.aim else "target"


def report_claim(claim, ours, theirs):
    """${ours}, ${theirs}: the values of the rounds."""
    ratios = [a / b if b else float("inf") for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    return {"what": claim.what, "against": claim.against,
            "figure": claim.figure, "ratio": ratio, "min": min(ratios),
            "max": max(ratios), "target": claim.target, "aim": claim.aim,
            "ours": statistics.median(ours),
            "theirs": statistics.median(theirs),
            "verdict": judge(claim, ratio)}


def report_side(side, rounds):
    seen = medians(rounds)
    return {"label": side.label, "rate": seen.rate, "p50_us": seen.p50,
            "p99_us": seen.p99, "cpu_s_per_million": seen.cost,
            "cpu_share": seen.share, "others": seen.others,
            "bottleneck": bottleneck(seen)}


def run_row(row, arguments, quiet):
    """Measure a row and return its report."""
    report = {"name": row.name, "about": row.about, "sides": [], "claims": []}
    if not row.sides:
        with Stage(arguments.transport) as stage:
            ours, theirs = row.count(stage)
        report["claims"] = [report_claim(row.claims[0], [ours], [theirs])]
        return report
    sides, results = run_rounds(row, arguments, quiet)
    report["sides"] = [report_side(*both) for both in zip(sides, results)]
    for claim in row.claims:
        values = ([value_of(figures, claim, k) for figures in results[side]]
                  for k, side in enumerate((claim.ours, claim.theirs)))
        report["claims"].append(report_claim(claim, *values))
    return report


# --- the table

FORMS = {"rate": "{:,.0f}/s", "p99": "{:,.0f} us", "cpu": "{:.2f} s",
         "p50": "{:,.0f} us", "bytes": "{:.2f}", "share": "{:.2f}", "load": "{:.2f}"}


def claim_cells(claim):
    sign = ">=" if claim["figure"] in AT_LEAST else "<="
    bounds = [f"{sign} {claim[name]:.2g}" for name in ("target", "aim")]
    form = FORMS[claim["figure"]]
    return [f"{claim['what']} / {claim['against']}",
            f"{claim['ratio']:.2f} ({claim['min']:.2f}-{claim['max']:.2f})",
            *bounds, claim["verdict"], form.format(claim["ours"]),
            form.format(claim["theirs"])]


def side_cells(side):
    return [side["label"], per_process(side["cpu_s_per_million"], ".2f"),
            side["bottleneck"], f"{side['others']:.0%}"]


def table_lines(row):
    """The claims of a row, and beside them, with no other link, its sides."""
    claims = [claim_cells(claim) for claim in row["claims"]]
    sides = [side_cells(side) for side in row["sides"]]
    for i in range(max(len(claims), len(sides))):
        yield [row["name"] if i == 0 else "",
               *(claims[i] if i < len(claims) else [""] * 7),
               *(sides[i] if i < len(sides) else [""] * 4)]


LEGEND = """
A ratio is the median of the rounds' (smallest-largest), ours to theirs; ours
and theirs are medians: replies a second, CPU s for a million replies, or us.
Right of them the row's sides: CPU s for a million replies of each process, the
process that held the side back, and what everybody else on the machine used,
as a share of a core: where that is much, the error is, too.
"""


def print_report(report):
    print(report["machine"])
    print(f"{report['rounds']} rounds of {report['seconds']:g} s a side, "
          f"alternating, over {report['transport']}\n")
    print_table(["row", "ours / theirs", "ratio (min-max)", "target", "aim",
                 "meets", "ours", "theirs", "side", "CPU s a million",
                 "bottleneck", "others"],
                [line for row in report["rows"] for line in table_lines(row)])
    print(LEGEND)
    for row in report["rows"]:
        print(f"  {row['name']}: {row['about']}.")
    print(f"\ntook {report['took_seconds']:.0f} s")
    for reason in report["failed"]:
        print(f"\nFAILED {reason}", file=sys.stderr)


def compare(arguments):
    start, quiet = time.monotonic(), Quiet(arguments.patience)
    report = {"machine": machine(), "rounds": arguments.rounds,
              "seconds": arguments.seconds, "transport": arguments.transport,
              "rows": [], "failed": []}
    for name in arguments.only or ROWS:
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        try:
            report["rows"].append(run_row(ROWS[name], arguments, quiet))
            print(" done", file=sys.stderr)
        except Failed as reason:
            report["failed"].append(f"{name}: {reason}")
            print(" FAILED", file=sys.stderr)
    report["took_seconds"] = time.monotonic() - start
    print_report(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.chart:
        arguments.chart.write_text(chart.draw(report))
    return 1 if report["failed"] else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW",
                        help="one of " + ", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7,
                        help="measured each round and side (default 0.7)")
    parser.add_argument("--patience", type=float, default=60,
                        help="seconds, in all, to wait for others to be quiet "
                        "before a round (default 60)")
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="write all figures there")
    parser.add_argument("--chart", type=pathlib.Path, metavar="FILE",
                        help="draw the ratios there, in SVG")
    parser.add_argument("--loader-check", action="store_true")
    parser.add_argument("--syscalls", action="store_true")
    arguments = parser.parse_args()
    for program in (LOAD, DRIPGATED, REDIS_SERVER):
        if not shutil.which(program):
            parser.error(f"{program} is not there")
    try:
        if arguments.loader_check:
            return checks.loader_check(arguments, machine())
        if arguments.syscalls:
            return checks.syscalls(arguments)
        return compare(arguments)
    except Failed as reason:
        print(f"FAILED {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
