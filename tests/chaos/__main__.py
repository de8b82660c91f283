"""Rounds of labelling while processes are killed and the store fails: ``python -m tests.chaos --rounds 10 --first-seed 1``.

Each round appends one line of JSON to the results file. The seed of a round decides its store, its images and what disturbs it.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from tests.chaos.bed import Bed, make_bed
from tests.chaos.disturbances import STORES, draw_round
from tests.chaos.rounds import carry_out
from tests.stores.store import credentials_env


def main() -> None:
    """Carry out the rounds; the exit code is 1 if one of them broke a promise."""
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--first-seed", type=int, default=1)
    options.add_argument("--pictures", type=int, default=Bed.pictures, help="images of a lake")
    options.add_argument("--results", type=Path, default=Path("chaos.jsonl"))
    options.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after this time")
    chosen = options.parse_args()
    os.environ.update(credentials_env())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.rounds)
    began_s = time.monotonic()
    broken = 0
    with make_bed(STORES, chosen.pictures) as bed:
        for seed in seeds:
            if time.monotonic() > began_s + chosen.seconds:
                break
            result = carry_out(bed, draw_round(seed, bed.parts))
            with chosen.results.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)
            broken += not result["ok"]
    raise SystemExit(min(broken, 1))


if __name__ == "__main__":
    main()
