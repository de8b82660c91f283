"""Peak memory of the driver and of the label actor over few and over many small images: it must not grow with their number."""

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benches.lakes import write_pictures
from tests.end_to_end.command_line import LAKETAG, must_run
from tests.models.tiny import save_local_dir
from tests.process_tree import below

COUNTS = (2_000, 10_000)
SIZE_PX = (64, 64)


def run() -> None:
    """Label both lakes with one view and a tiny model, watch the processes, and print a table."""
    table = Table("images", "seconds", "driver peak, MiB", "label actor peak, MiB")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        model = save_local_dir(folder / "model")
        settings = folder / "settings.toml"
        settings.write_text(f'[backbone]\npretrained = "local-dir:{model}"\n[method]\nname = "clip"\n')
        (folder / "classes.txt").write_text("cat\ndog\nbird\n")
        for count in COUNTS:
            write_pictures(folder / f"{count}", count, SIZE_PX)
            lake = str(folder / f"lake-{count}")
            must_run("index", str(folder / f"{count}"), "--root", lake, "-c", "c")
            chosen = ("--root", lake, "-s", "s", "--settings", str(settings))
            must_run("describe", str(folder / "classes.txt"), *chosen)
            began = time.perf_counter()
            driver, actor = watch(*LAKETAG, "label", *chosen, "-c", "c")
            table.add_row(
                f"{count:,}", f"{time.perf_counter() - began:.0f}", f"{driver:,.0f}", f"{actor:,.0f}"
            )
    Console().print(table)


def watch(*command: str) -> tuple[float, float]:
    """Run the command; peak resident MiB of its own process and of the largest label actor that it starts."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = {"driver": 0.0, "actor": 0.0}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            peaks["driver"] = max(peaks["driver"], _resident_mb(process.pid))
            for started in below(process.pid):
                if "LabelImages" in started.title:
                    peaks["actor"] = max(peaks["actor"], _resident_mb(started.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    assert code == 0, f"laketag label ended with {code}"
    return peaks["driver"], peaks["actor"]


def _resident_mb(pid: int) -> float:
    """The memory that the process holds now, shared libraries included, less the shared object store's pages."""
    try:
        lines = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        shared = int(lines.get("RssShmem", "0 kB").split()[0])
        return (int(lines["VmRSS"].split()[0]) - shared) / 1024
    except (OSError, KeyError):
        return 0.0
