"""`python -m tests.random_networks --count 100 --seed 0`: how many are built, refused (and why), or wrong."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict

from tests.random_networks.compare import Outcome, outcomes
from tests.random_networks.network import random_network
from tests.random_networks.operators import OPERATORS

BAD = ("missed", "wrong", "broken")


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.random_networks", description=__doc__)
    arguments.add_argument("--count", type=int, default=100, help="networks")
    arguments.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    arguments.add_argument("--target", action="append", help="default: android, iphone and rtx")
    arguments.add_argument("--largest", type=int, default=12, help="operators in a network at most")
    given = arguments.parse_args()
    found: list[Outcome] = []
    for seed in range(given.seed, given.seed + given.count):
        subject = random_network(seed, OPERATORS, given.largest)
        for outcome in outcomes(subject, given.target or ("android", "iphone", "rtx")):
            found.append(outcome)
            if outcome.kind != "built":
                print(f"{seed} {outcome.target}: {outcome.kind}: {outcome.what}", flush=True)
                print(f"    {' '.join(outcome.operators)}", flush=True)
    _summarize(found)
    return 1 if any(outcome.kind in BAD for outcome in found) else 0


def _summarize(found: list[Outcome]) -> None:
    by_target: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in found:
        by_target[outcome.target][outcome.kind] += 1
    for target, kinds in by_target.items():
        print(f"{target:10} " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    reasons = Counter((o.target, o.what) for o in found if o.kind == "refused")
    for (target, reason), count in reasons.most_common():
        print(f"{count:5} {target:10} {reason}")


if __name__ == "__main__":
    sys.exit(main())
