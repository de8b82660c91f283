"""Which files a lake has, and which of them belong there."""

import re
from collections.abc import Mapping

from laketag.pipeline.lake.paths import RUN_TABLES, Lake, Table
from laketag.pipeline.lake.publish import WRITER_DIGITS
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import RunTable
from laketag.pipeline.lake.verified import Verified
from laketag.pipeline.store.folders import list_everything

OF_RUNS = r"collection=([^/]+)/classifier=[^/]+/run=([^/]+)/[^/]+\.parquet"
LAYOUT: dict[Table, str] = {
    "index": r"collection=([^/]+)/snapshot=([^/]+)/part-\d+(\.last)?\.parquet",
    "descriptions": r"set=([^/]+)/version=([^/]+)/descriptions\.parquet",
    **dict.fromkeys(RUN_TABLES, OF_RUNS),
    "decisions": r"collection=([^/]+)/set=([^/]+)/[^/]+\.parquet",
    "runs": r"[^/]+\.parquet",
    "nights": r"[^/]+\.parquet",
    "evaluations": r"[^/]+/(results/collection=[^/]+/part-[0-9a-f]+\.parquet|texts/[^/]+\.parquet|summary\.parquet|report/[^/]+)",
    "calibrations": r"collection=[^/]+/classifier=[^/]+/[^/]+-[0-9a-f]{16}\.parquet",
    "forgotten": r"[^/]+\.parquet",
}
"""The files of each table that readers scan; in staging anything may be."""
PUBLISHED = rf"part-\d+(-of-\d+)?-[0-9a-f]{{{WRITER_DIGITS}}}\.parquet"
"""A file of a run as it was published. One that its run does not name is of a process that was too late to commit the run."""


def list_table(lake: Lake, table: Table) -> list[str]:
    """The files of a table, relative to it; those that a killed writer left unfinished are seen by no reader."""
    top = lake.path(table) + "/"
    names = (file.url.removeprefix(top) for file in list_everything(lake.path(table), lake.storage))
    return [name for name in names if not name.rpartition("/")[2].startswith(".")]


def check_layout(listed: Mapping[Table, list[str]], found: Verified) -> None:
    """Each listed file has a place in its table."""
    for table, files in listed.items():
        for file in files:
            if not re.fullmatch(LAYOUT[table], file):
                found.blame(
                    f"{table}/{file}", "is no file of laketag's, but readers scan this folder; remove it"
                )


def check_strangers(
    name: Table, files: list[str], staged: set[str], table: RunTable, found: Verified
) -> None:
    """Each of the files, in a table of files of runs, is named by a run, or is left over from something."""
    named, finished = named_files(table.rows), set(table.rows["run_id"])
    for file in files:
        path = f"{name}/{file}"
        if path in named or not (match := re.fullmatch(OF_RUNS, file)):
            continue
        is_late = match[2] in finished and re.fullmatch(PUBLISHED, path.rpartition("/")[2])
        if path in table.replaced or match[2] in staged or is_late:
            found.left_over += 1
        else:
            found.blame(
                path, "is named by no run, and no run that is unfinished writes it; remove it: laketag clean"
            )


def group_folders(table: Table, files: list[str]) -> dict[tuple[str, str], list[str]]:
    """The files of the table that have a place in it, by collection and snapshot, or set and version."""
    groups: dict[tuple[str, str], list[str]] = {}
    for file in files:
        if match := re.fullmatch(LAYOUT[table], file):
            groups.setdefault((match[1], match[2]), []).append(file)
    return groups
