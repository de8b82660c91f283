"""Whether what runs keep beside their labels is there: one row for each label, in files as the runs say."""

from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from laketag.pipeline.lake.hashed_rows import HashedRows, hash_keys
from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS, KEY, kept_tables
from laketag.pipeline.lake.label_files import LabelFile, kept_files_of
from laketag.pipeline.lake.paths import KeptTable, Lake
from laketag.pipeline.lake.runs import RunTable
from laketag.pipeline.lake.verified import Verified
from laketag.pipeline.lake.verify_files import read_named, was_replaced
from laketag.pipeline.lake.work_keys import WorkKeys
from laketag.pipeline.store.read_ahead import read_ahead

FILES_AHEAD = 3
"""How many files are read ahead, each of laketag.pipeline.lake.publish_kept.FILE_BYTES at most."""


def check_kept(
    lake: Lake, every: RunTable, runs: pl.DataFrame, keys: WorkKeys | None, found: Verified
) -> None:
    """Each kept file that the runs name, all of one collection and classifier, is as they say.

    Runs of ``every`` may share these files. With the keys of all their label rows, also: each label of a run that keeps a table
    has its row in it, once.
    """
    namers: dict[str, list[str]] = defaultdict(list)
    for run_id, paths in every.rows.select("run_id", pl.col("kept_files").fill_null([])).iter_rows():
        for path in paths:
            namers[path].append(run_id)
    keeping = runs.filter(pl.col("keep").is_not_null())
    tables: dict[KeptTable, list[str]] = defaultdict(list)
    for run_id, keep in keeping.select("run_id", "keep").iter_rows():
        for table in kept_tables(keep):
            tables[table].append(run_id)
    for table, run_ids in tables.items():
        files = [file for file in _unique_files(keeping) if file.path.startswith(f"{table}/")]
        rows, is_complete = HashedRows("image", "age"), True
        reads = read_ahead(lambda file: read_named(lake, file, KEPT_SCHEMAS[table], KEY), files, FILES_AHEAD)  # noqa: B023  # read within the loop
        for file, reading in reads:
            read = reading.result()
            if read.fault and not (read.may_be_replaced and was_replaced(lake, file)):
                found.blame(file.path, read.fault)
            if read.rows is None:
                is_complete = False
                continue
            found.kept_files += 1
            strangers = read.rows.filter(~pl.col("run_id").is_in(namers[file.path]))
            if strangers.height:
                found.blame(file.path, f"has {strangers.height:,} rows of runs that do not name it")
            ages = runs.select("run_id").with_row_index("age")
            hashed = hash_keys(read.rows).with_columns(read.rows["run_id"])
            rows.add(hashed.join(ages, on="run_id").drop("run_id"))
        if is_complete and keys is not None:
            for run_id, lacking, needless in _compare(runs, run_ids, keys, rows):
                found.blame(
                    f"run {run_id}",
                    f"keeps {table}, and {lacking:,} of its labels have no row there, and {needless:,} rows there no label or "
                    "another row",
                )


def _unique_files(runs: pl.DataFrame) -> list[LabelFile]:
    return list(
        {file.path: file for run in runs.iter_rows(named=True) for file in kept_files_of(run)}.values()
    )


def _compare(
    runs: pl.DataFrame, run_ids: list[str], keys: WorkKeys, kept: HashedRows
) -> Iterator[tuple[str, int, int]]:
    """Runs whose labels and kept rows differ: how many labels have no row, and how many rows belong to no label."""
    ages = runs.select("run_id").with_row_index("age").filter(pl.col("run_id").is_in(run_ids))
    key = ["image", "version", "age"]
    beside = dict(kept.parts())
    wrong: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    labels = {
        number: rows.filter("is_labelled").join(ages, on="age", how="semi") for number, rows in keys.parts()
    }
    for number in labels.keys() | beside.keys():
        empty = pl.DataFrame(schema={"image": pl.UInt64, "version": pl.UInt32, "age": pl.UInt32})
        labelled = labels[number].select(key) if number in labels else empty
        rows = beside[number].select(key) if number in beside else empty
        once = rows.unique()
        for age in labelled.join(once, on=key, how="anti")["age"]:
            wrong[age][0] += 1
        needless = [
            *once.join(labelled, on=key, how="anti")["age"],
            *rows.filter(rows.is_duplicated()).unique()["age"],
        ]
        for age in needless:
            wrong[age][1] += 1
    names = dict(ages.select("age", "run_id").iter_rows())
    for age, (lacking, needless_rows) in sorted(wrong.items()):
        yield names[age], lacking, needless_rows
