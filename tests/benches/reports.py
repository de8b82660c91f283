"""How long a report takes and how large it is: ``python -m tests.benches reports``.

The pictures are noise, of which WebP takes the most bytes; the labels are made up, so there are no stories.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.flows.report_lakes import write_labelled

PICTURES = 300
SIZE_PX = 640, 480
CLASSES = 60
ROWS = 100_000
MAIN = "import sys; from laketag.jobs.cli import main; sys.argv[0] = 'laketag'; main()"


def run() -> None:
    """The seconds and bytes of the report of a lake of ROWS rows are printed."""
    with tempfile.TemporaryDirectory() as folder:
        root, page = Path(folder), Path(folder, "report.html")
        _draw_noise(root / "images")
        lake = write_labelled(root, ROWS, tuple(f"class {number}" for number in range(CLASSES)))
        command = ["report", "--root", lake.root, "--collection", "photos", "--to", str(page)]
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", MAIN, *command], check=True)
        seconds = time.monotonic() - start
        pictures = page.read_text(encoding="utf-8").count("data:image/webp")
        print(
            f"{ROWS:,} rows, {CLASSES} classes: {seconds:.1f} s, {pictures} pictures, ",
            end="",
        )
        print(f"{page.stat().st_size / 1e6:.2f} MB")


def _draw_noise(folder: Path) -> None:
    folder.mkdir()
    rng = random.Random(0)
    for number in range(PICTURES):
        noise = rng.randbytes(3 * SIZE_PX[0] * SIZE_PX[1])
        Image.frombytes("RGB", SIZE_PX, noise).save(folder / f"{number:03}.jpg", quality=85)
