"""``make bench``: speed of the classifier, of the flow and of what is around it; memory; indexing; publishing."""

import argparse
import sys

from tests.benches import (
    classifying,
    decoding,
    indexing,
    many_rows,
    memory,
    preparing,
    publication,
    throughput,
    upkeep,
)

BENCHES = {
    "classifying": classifying.run,
    "throughput": throughput.run,
    "preparing": preparing.run,
    "memory": memory.run,
    "decoding": decoding.run,
    "indexing": indexing.run,
    "publication": publication.run,
    "many_rows": many_rows.run,
    "upkeep": upkeep.run,
}


def main() -> int:
    """Run the benches that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benches", description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[*BENCHES, []], help="which to run; all if none is named")
    for name in parser.parse_args().bench or BENCHES:
        print(f"\n== {name}", flush=True)
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
