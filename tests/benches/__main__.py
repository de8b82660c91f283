"""``python -m tests.benches``: all rows of ``make bench`` (``--large``: of ``make bench-large``), or those that are named.

Each name runs in a process of its own and prints its rows as they come. Rows that are done are kept in ``bench-rows.jsonl``, so
that a bench that was stopped goes on; when all are done, the table in docs/performance.md is written and the file removed.
"""

import argparse
import sys
from collections.abc import Callable, Iterable

from tests.benches import (
    budgets,
    classifying,
    decoding,
    feeding,
    indexing,
    many_rows,
    matching_kept,
    memory,
    preparing,
    publication,
    reports,
    starting,
    upkeep,
)
from tests.benches.rows import Row
from tests.benches.table import Bench, make_table, print_row

Rows = Callable[[], Iterable[Row]]
SMALL: dict[str, Rows] = {
    "abs-b32": lambda: classifying.compare_with_a_plain_loop("ViT-B-32"),
    "abs-b16": lambda: classifying.compare_with_a_plain_loop("ViT-B-16"),
    "text-tower": classifying.compare_text_towers,
    "matching": classifying.compare_matching,
    "matching-memory": classifying.compare_matching_memory,
    "attention": classifying.compare_attention,
    "batches": classifying.compare_batches,
    "batch-memory": classifying.compare_batch_memory,
    "budgets": budgets.compare_budgets,
    "from-embeddings": lambda: matching_kept.compare_with_encoding("ViT-B-16"),
    "from-embeddings-demo": matching_kept.compare_formats,
    "flow-folder": feeding.compare_in_folder,
    "flow-s3": feeding.compare_on_s3,
    "flow-null": feeding.measure_null_model,
    "start": starting.measure_start,
    "nothing-to-do": starting.measure_nothing_to_do,
    "publication": lambda: publication.compare_sizes(50_000, 200_000, 1_000_000),
}
LARGE: dict[str, Rows] = {
    "publication-large": lambda: publication.compare_sizes(1_000_000, 10_000_000),
    "publication-s3": publication.compare_stores,
}
TABLES: dict[str, Callable[[], None]] = {
    "preparing": preparing.run,
    "memory": memory.run,
    "decoding": decoding.run,
    "indexing": indexing.run,
    "many_rows": many_rows.run,
    "upkeep": upkeep.run,
    "reports": reports.run,
}
"""Benches with a table of their own, which docs/sizing.md and the decisions quote."""


def main() -> int:
    """Run what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benches", description=__doc__)
    parser.add_argument(
        "name",
        nargs="*",
        choices=[*SMALL, *LARGE, *TABLES, []],
        help="which to run; all rows if none is named",
    )
    parser.add_argument("--large", action="store_true", help="the rows that take hours")
    chosen = parser.parse_args()
    if not chosen.name:
        command = "make bench-large" if chosen.large else "make bench"
        return make_table(Bench(command, tuple(LARGE if chosen.large else SMALL)))
    for name in chosen.name:
        if name in TABLES:
            print(f"\n== {name}", flush=True)
            TABLES[name]()
        else:
            for row in (SMALL | LARGE)[name]():
                print_row(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
