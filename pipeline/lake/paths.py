"""Where the tables are under the root of a lake.

=============  =====================================================
image index    ``index/collection=C/snapshot=T/*.parquet``
descriptions   ``descriptions/set=S/version=V/descriptions.parquet``
labels         ``labels/collection=C/classifier=F/run=R/*.parquet``
scores         ``scores/collection=C/classifier=F/run=R/*.parquet``, where a run keeps them
embeddings     ``embeddings/collection=C/classifier=F/run=R/*.parquet``, where a run keeps them
runs           ``runs/R.parquet``, ``runs/fold-NNNNNN.parquet``
nights         ``nights/N.parquet``
decisions      ``decisions/collection=C/set=S/*.parquet``
evaluations    ``evaluations/E/…``: what laketag evaluate has found, see laketag.pipeline.lake.evaluations
calibrations   ``calibrations/collection=C/classifier=F/TIME-D.parquet``
staging        ``staging/R/…``: the plan and unpublished parts of an unfinished run; ``staging/texts-TOWER/``: embedded texts
forgotten      ``forgotten/forgotten.parquet``
=============  =====================================================
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.lake_format import check_format
from laketag.pipeline.store.locations import expand_home
from laketag.pipeline.store.roots import checked_root

Table = Literal[
    "index",
    "descriptions",
    "labels",
    "scores",
    "embeddings",
    "decisions",
    "runs",
    "nights",
    "evaluations",
    "calibrations",
    "staging",
    "forgotten",
]
"""Every folder directly under the root; mypy refuses a path that begins with anything else."""
TABLES: tuple[Table, ...] = get_args(Table)
KeptTable = Literal["scores", "embeddings"]
"""What a run keeps beside its labels, on request."""
KEPT_TABLES: tuple[KeptTable, ...] = get_args(KeptTable)
RUN_TABLES: tuple[Literal["labels"] | KeptTable, ...] = ("labels", *KEPT_TABLES)
"""Tables whose files belong to runs: readers take those that the rows of runs name."""

HALF_A_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
"""As ``s3:/bucket``, which would be a folder named ``s3:``."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Names of collections and description sets, which become parts of paths."""

TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
TIMESTAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z")


@dataclass(frozen=True)
class Lake:
    """The root of a lake, a folder or an ``s3://`` prefix, and how its store is reached."""

    root: str
    storage: StorageSettings

    def path(self, table: Table, *parts: str) -> str:
        """The URL of a table, or of a folder or file in it."""
        return "/".join((self.root, table, *parts))

    def index_snapshots(self, collection: str) -> str:
        """The folder of a collection's snapshots."""
        return self.path("index", f"collection={collection}")

    def description_versions(self, set_name: str) -> str:
        """The folder of a description set's versions."""
        return self.path("descriptions", f"set={set_name}")

    def labels(self, collection: str, fingerprint: str, run_id: str) -> str:
        """The folder of a run's published label files."""
        return self.of_run("labels", collection, fingerprint, run_id)

    def of_run(
        self, table: Literal["labels"] | KeptTable, collection: str, fingerprint: str, run_id: str
    ) -> str:
        """The folder of a run's published files in one of the tables that runs write."""
        return self.path(table, f"collection={collection}", f"classifier={fingerprint}", f"run={run_id}")

    def decisions(self, collection: str, set_name: str) -> str:
        """The folder of the decisions about a collection's images and the classes of a description set."""
        return self.path("decisions", f"collection={collection}", f"set={set_name}")

    def calibrations(self, collection: str, fingerprint: str) -> str:
        """The folder of the calibrations of a collection's classifier."""
        return self.path("calibrations", f"collection={collection}", f"classifier={fingerprint}")

    def run(self, run_id: str) -> str:
        """The file of a finished run; until it exists, the run is not finished."""
        return self.path("runs", f"{run_id}.parquet")

    def fold(self, number: int) -> str:
        """The file that holds the rows of many finished runs; the fold with the highest number counts."""
        return self.path("runs", f"fold-{number:06d}.parquet")

    def staging(self, run_id: str) -> str:
        """The folder of an unfinished run."""
        return self.path("staging", run_id)


def open_lake(root: str, storage: StorageSettings) -> Lake:
    """The lake at a root, as locate_lake finds it; an InputError if a later laketag has written it."""
    lake = locate_lake(root, storage)
    check_format(lake.root, storage)
    return lake


def locate_lake(root: str, storage: StorageSettings) -> Lake:
    """The lake at an ``s3://`` prefix or in a local folder, whose path may be relative to the current folder."""
    if not root.strip():
        raise SettingsError("root is empty; give the folder or the URL of the lake")
    if half := HALF_A_URL.match(root):
        raise SettingsError(f"root {root!r} is neither a path nor a URL; write {half[1]}://… or ./{root}")
    if "://" not in root:
        return Lake(str(expand_home(root)), storage)
    return Lake(checked_root(root), storage)


def checked_name(name: str, what: str) -> str:
    """The name, or a SettingsError if it cannot be part of a path on every store."""
    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError(
            f"{what} {name!r} cannot be part of a path; use letters, digits, '.', '_' and '-', and begin with a letter or digit"
        )
    return name


def timestamp(after: str = "") -> str:
    """The time now, UTC, with microseconds, as a name: later names sort after earlier ones.

    It sorts after the name ``after``, too, which a machine whose clock is ahead of this one's may have given.
    """
    now = datetime.now(UTC)
    if known := TIMESTAMP.match(after):
        now = max(
            now, datetime.strptime(known[0], TIME_FORMAT).replace(tzinfo=UTC) + timedelta(microseconds=1)
        )
    return now.strftime(TIME_FORMAT)
