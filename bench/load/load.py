#!/usr/bin/env python3
"""Loads `tru serve` on this machine and prints what it did, as a table for docs/BENCHMARKS.md.

  bench/load/load.py [SCENARIO...]      without a name, or with all: each; about ten minutes

Everything goes to loopback addresses. uploads needs 35 GB of disk for a while, health the program
wrk (apt install wrk).
"""
import os
import sys
import time

import scenarios

ALL = {"health": scenarios.health, "overhead": scenarios.overhead, "cancel": scenarios.cancel,
       "crowd": scenarios.crowd, "wrong_keys": scenarios.wrong_keys,
       "overload": scenarios.overload, "uploads": scenarios.uploads}


def main():
    names = sys.argv[1:]
    if names in ([], ["all"]):
        names = list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"{__doc__}\nscenarios: {', '.join(ALL)}")
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load average "
          f"{os.getloadavg()[0]:.1f} before\n\n| what | measured | must | load average |")
    print("|---|---|---|---|")
    for name in names:
        for what, measured, must in ALL[name]():
            print(f"| {what} | {measured} | {must} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
