"""The table of calibrations: ``calibrations/collection=C/classifier=F/TIME-D.parquet``.

D is the hash of a calibration's content. The newest of a collection and classifier decides what new runs accept; a run names
its D, and keeps it. No calibration makes an image pending.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import polars as pl

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import read_footer, read_table, write_table
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Calibrations

SHARED = "calibration"
"""The footer entry with what all classes of a calibration share, as JSON."""
ABOUT = "about"
"""The footer entry that says what the calibration was fitted to, for people."""
FILE = re.compile(r"/collection=([^/]+)/classifier=([^/]+)/([^/]+)-([0-9a-f]{16})\.parquet$")


def write_calibration(lake: Lake, calibration: Calibration, about: Mapping[str, Any]) -> bool:
    """The calibration is the newest of its collection and classifier; returns whether it was not so before."""
    files = _files(lake, calibration.collection, calibration.classifier)
    if files and files[-1].endswith(f"-{calibration.content_hash}.parquet"):
        return False
    earlier = files[-1].rpartition("/")[2] if files else ""
    folder = lake.calibrations(calibration.collection, calibration.classifier)
    url = f"{folder}/{timestamp(after=earlier)}-{calibration.content_hash}.parquet"
    shared = {name: value for name, value in asdict(calibration).items() if name != "classes"}
    footer = {SHARED: json.dumps(shared), ABOUT: json.dumps(about)}
    classes = [{"position": number, **asdict(one)} for number, one in enumerate(calibration.classes)]
    write_table(_frame(classes), url, Calibrations, lake.storage, footer)
    return True


def newest_calibration(lake: Lake, collection: str, fingerprint: str) -> str | None:
    """D of the newest calibration; None if there is none."""
    files = _files(lake, collection, fingerprint)
    found = FILE.search(files[-1]) if files else None
    return found[4] if found else None


def read_calibration(lake: Lake, collection: str, fingerprint: str, content_hash: str) -> Calibration:
    """The calibration with this D; an InputError if the lake does not have it, or if its file was changed."""
    for url in _files(lake, collection, fingerprint):
        if url.endswith(f"-{content_hash}.parquet"):
            return _read(lake, url)
    raise InputError(
        f"{lake.calibrations(collection, fingerprint)}: has no calibration {content_hash}, which a run names; restore the file"
    )


def check_calibrations(lake: Lake) -> None:
    """Each calibration can be read, and is what its name says; else an error that names the file."""
    for url in list_files(lake.path("calibrations"), lake.storage):
        if FILE.search(url):
            _read(lake, url)


def known_hashes(lake: Lake) -> set[tuple[str, str, str]]:
    """Collection, classifier and D of each calibration."""
    found = (FILE.search(url) for url in list_files(lake.path("calibrations"), lake.storage))
    return {(match[1], match[2], match[4]) for match in found if match}


def _read(lake: Lake, url: str) -> Calibration:
    rows = read_table(url, Calibrations, lake.storage).sort("position").drop("position")
    footer = read_footer(url, lake.storage)
    if SHARED not in footer:
        raise InputError(f"{url}: its footer lacks {SHARED}; calibrate again")
    shared = json.loads(footer[SHARED])
    classes = tuple(CalibratedClass(**row) for row in rows.iter_rows(named=True))
    calibration = Calibration(**{**shared, "rule": ShareRule(**shared["rule"])}, classes=classes)
    if not url.endswith(f"-{calibration.content_hash}.parquet"):
        raise InputError(f"{url}: was changed after it was written; calibrate again")
    return calibration


def _files(lake: Lake, collection: str, fingerprint: str) -> list[str]:
    """Oldest first."""
    urls = list_files(lake.calibrations(collection, fingerprint), lake.storage)
    return sorted(url for url in urls if FILE.search(url))


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=Calibrations.create_empty().schema)
