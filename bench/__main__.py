"""`python -m bench [NAME ...]`: measure the budgets and print them; `--gate` makes a missed one fail."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys

from bench.harness import report

# In the order of DESIGN.md section 7.
BENCHMARKS = (
    "wmio",
    "wire",
    "serving",
    "calling",
    "fleet",
    "processes",
    "wql",
    "delivery",
    "calls",
    "com_latency",
    "events",
    "mof_dmtf",
    "repository",
    "associators",
    "start",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*BENCHMARKS],
        default=[*BENCHMARKS],
        metavar="NAME",
        help=", ".join(BENCHMARKS),
    )
    parser.add_argument("--gate", action="store_true", help="exit with 1 when a budget is missed")
    options = parser.parse_args()
    sys.stdout.write(
        f"Python {platform.python_version()}, {os.cpu_count()} cores; ratios are medians of rounds in turn\n\n"
    )
    met = True
    for name in options.names:
        module = importlib.import_module(f"bench.{name}")
        met &= report((module.__doc__ or name).splitlines()[0], module.measure())
    return 1 if options.gate and not met else 0


if __name__ == "__main__":
    sys.exit(main())
