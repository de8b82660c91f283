"""What is wrong with a lake, from its stored tables alone.

Other processes may work meanwhile, so the order of reading matters: files are listed first, then staging, then the runs are
read. A file that a run is publishing belongs to a staged run; when that is gone, the run's row is there. A named file that
is missing counts only if the runs still name it afterwards.
"""

from collections.abc import Sequence

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.calibrations import check_calibrations, known_hashes
from laketag.pipeline.lake.decisions import find_decided
from laketag.pipeline.lake.description_versions import list_versions, read_descriptions_table
from laketag.pipeline.lake.evaluations import read_summaries
from laketag.pipeline.lake.forgotten import read_forgotten
from laketag.pipeline.lake.layout import check_layout, check_strangers, group_folders, list_table
from laketag.pipeline.lake.nights import read_nights
from laketag.pipeline.lake.paths import RUN_TABLES, TABLES, Lake, Table
from laketag.pipeline.lake.runs import RunTable, read_run_table
from laketag.pipeline.lake.verified import UNREADABLE_ERRORS, Verified
from laketag.pipeline.lake.verify_index import check_ids, check_index
from laketag.pipeline.lake.verify_labels import check_labels
from laketag.pipeline.store.folders import list_folders
from laketag.pipeline.store.read_ahead import read_ahead

DESCRIPTIONS_AT_ONCE = 4
"""How many versions of descriptions are read at once; of 1,000 classes each has some ten MB."""


def verify(lake: Lake) -> Verified:
    """Every row that the runs count is there once, in files as the runs say, and no other file is among them."""
    found = Verified()
    listed: dict[Table, list[str]] = {
        table: list_table(lake, table) for table in TABLES if table != "staging"
    }
    staged = set(list_folders(lake.path("staging"), lake.storage))
    try:
        table = read_run_table(lake)
    except InputError as error:
        found.blame("runs", str(error))
        table = None
    check_layout(listed, found)
    for place, read in (
        ("nights", read_nights),
        ("forgotten", read_forgotten),
        ("evaluations", read_summaries),
        ("calibrations", check_calibrations),
    ):
        try:
            read(lake)
        except UNREADABLE_ERRORS as error:
            found.blame_unreadable(place, error)
    for decided in find_decided(lake):
        try:
            decided.read()
        except UNREADABLE_ERRORS as error:
            found.blame_unreadable(decided.url.removeprefix(f"{lake.root}/"), error)
    if table is not None:
        found.runs = table.rows.height
        for name in RUN_TABLES:
            check_strangers(name, listed[name], staged, table, found)
        index = check_index(lake, listed["index"], table.rows, found)
        check_ids(lake, index, found)
        check_labels(lake, table, table.rows, index, found)
        _check_descriptions(lake, listed["descriptions"], table.rows, found)
        _check_calibrations(lake, table.rows, found)
        if found.faults:  # runs that were left out meanwhile have none
            known = {f"run {run_id}" for run_id in read_run_table(lake).rows["run_id"]}
            found.faults = [
                fault for fault in found.faults if not fault.where.startswith("run ") or fault.where in known
            ]
    return found


def verify_runs(lake: Lake, table: RunTable, run_ids: Sequence[str]) -> Verified:
    """As verify, of these runs alone: their rows and files, and that their snapshots and descriptions are there.

    The table was read after they finished. What other runs have done before them is not read.
    """
    runs = table.rows.filter(pl.col("run_id").is_in(run_ids))
    found = Verified(runs=runs.height)
    for run_id in set(run_ids).difference(runs["run_id"]):
        found.blame(f"run {run_id}", "was published, and the table of runs has no row of it")
    check_index(lake, [], runs, found)
    check_labels(lake, table, runs, None, found)
    _check_descriptions(lake, [], runs, found)
    _check_calibrations(lake, runs, found)
    return found


def _check_calibrations(lake: Lake, runs: pl.DataFrame, found: Verified) -> None:
    """The calibration that a run names is there."""
    calibrated = runs.filter(pl.col("calibration").is_not_null())
    known = known_hashes(lake) if calibrated.height else set()
    names = calibrated.select("run_id", "collection", "classifier", "calibration")
    for run_id, *name in names.iter_rows():
        if tuple(name) not in known:
            found.blame(f"run {run_id}", f"its calibration {name[-1]} is missing")


def _check_descriptions(lake: Lake, files: list[str], runs: pl.DataFrame, found: Verified) -> None:
    versions = group_folders("descriptions", files)
    reads = read_ahead(
        lambda name: read_descriptions_table(lake, *name), sorted(versions), DESCRIPTIONS_AT_ONCE
    )
    for (set_name, version), read in reads:
        try:
            read.result()
        except UNREADABLE_ERRORS as error:
            found.blame_unreadable(f"descriptions/set={set_name}/version={version}", error)
    wanted = dict.fromkeys(runs.select("description_set", "description_version").iter_rows())
    missing = [
        name for name in wanted if name not in versions and name[1] not in list_versions(lake, name[0])
    ]
    for run in runs.iter_rows(named=True):
        if (run["description_set"], run["description_version"]) in missing:
            found.blame(
                f"run {run['run_id']}",
                f"version {run['description_version']} of its descriptions {run['description_set']} is missing",
            )
