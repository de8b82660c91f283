"""The results of rounds as the tables of docs/reliability.md: ``python -m tests.chaos.summary chaos.jsonl``."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def summarise(results: list[dict[str, Any]]) -> str:
    """Markdown: what was done to the runs, and what became of them."""
    kills, faults, answers = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        kills.update(result["kills"])
        faults.update(result["faults"])
        answers.update(result["faulty_answers"])
    stores = Counter(result["store"] for result in results)
    signals = sorted(seconds for result in results for seconds in result["signal_s"])
    seconds = sorted(result["seconds"] for result in results)
    rows = [
        ("rounds", f"{len(results)} ({', '.join(f'{n} on {name}' for name, n in stores.most_common())})"),
        ("commands", f"{sum(len(result['codes']) for result in results)}"),
        ("kills", ", ".join(f"{kind} {n}" for kind, n in kills.most_common())),
        ("faults", ", ".join(f"{kind} {n} ({answers[kind]} answers)" for kind, n in faults.most_common())),
        (
            "rows lost, doubled, different",
            ", ".join(str(sum(result[name] for result in results)) for name in ROWS),
        ),
        ("rounds that broke a promise", f"{sum(not result['ok'] for result in results)}"),
        ("seconds of a round, median and longest", f"{seconds[len(seconds) // 2]:.0f}, {seconds[-1]:.0f}"),
    ]
    if signals:
        rows.append(
            ("longest time from SIGTERM or SIGINT to the end", f"{signals[-1]:.1f} s of {len(signals)}")
        )
    return "| what | count |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


ROWS = ("rows_lost", "rows_doubled", "rows_different")

if __name__ == "__main__":
    print(summarise([json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]))
