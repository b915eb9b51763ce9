#!/usr/bin/env python3
"""Writes the cases of ../cases that are not there yet.

  generate.py                  write the missing ones
  generate.py --force NAME...  write these again
  generate.py --force-all      write every one again
  generate.py --check          say which committed cases differ from what would
                               be written (signatures that are random count)

Needs the packages of requirements.txt:
  python3 -m venv /tmp/venv && /tmp/venv/bin/pip install --require-hashes -r requirements.txt
"""

import argparse
import json
import os
import shutil
import sys

import case
import chain_cases
import revocation_cases
import rule_cases
import truststore_cases

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--force-all", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()

    chain_cases.define()
    rule_cases.define()
    revocation_cases.define()
    truststore_cases.define()
    for name in args.force:
        if name not in case.ALL:
            sys.exit("no such case: " + name)

    written, differing = 0, []
    for name, made in case.ALL.items():
        folder = os.path.join(CASES, name)
        exists = os.path.exists(os.path.join(folder, "case.json"))
        if args.check:
            if not exists or made.files() != read(folder):
                differing.append(name)
            continue
        if exists and not args.force_all and name not in args.force:
            continue
        if exists:
            shutil.rmtree(folder)
        os.makedirs(folder)
        for file_name, content in made.files().items():
            with open(os.path.join(folder, file_name), "wb") as f:
                f.write(content)
        written += 1
    if args.check:
        print("%d of %d cases differ" % (len(differing), len(case.ALL)), *differing, sep="\n  ")
        sys.exit(1 if differing else 0)
    print("%d cases, %d written" % (len(case.ALL), written))


def read(folder):
    out = {}
    for file_name in os.listdir(folder):
        with open(os.path.join(folder, file_name), "rb") as f:
            out[file_name] = f.read()
    return out


if __name__ == "__main__":
    main()
