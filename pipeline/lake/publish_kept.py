"""From the staged rows of kept tables to a run's files: each label has its row once, in files of bounded size."""

import json
from collections.abc import Iterable, Iterator

import dataframely as dy
import polars as pl

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.description_versions import read_class_names, read_embedded_set
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS, embedding_format, kept_tables
from laketag.pipeline.lake.label_files import LabelFile, store_run_file
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import KeptTable, Lake
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.lake.tables import encode_table, scan_table
from laketag.pipeline.store.files import READS_AT_ONCE
from laketag.pipeline.store.folders import list_files
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.read_ahead import read_ahead

FILE_BYTES = 2**26
"""About how large a file of a kept table is in memory, which bounds that of publishing, of compacting and of reading it."""
PARTS_AHEAD = 4
"""How many staged files are read ahead."""


def publish_kept(lake: Lake, run: Run, labelled: pl.DataFrame, ending: str, lease: Lease) -> list[LabelFile]:
    """The tables that the run keeps have files with one row for each label; a LedgerError if a label has none.

    ``labelled`` has the column ``key``, the version_key of each image that the run labels. The names of the files end with
    ``ending``. Staged files are read in their order, once for their keys and once whole, and not sorted.
    """
    files: list[LabelFile] = []
    for table in kept_tables(run.keep):
        folder = lake.of_run(table, run.collection, run.classifier, run.run_id)
        footer = footer_of(lake, run, table)
        for number, rows in enumerate(cut_by_bytes(_take(lake, run, table, labelled))):
            data = encode_table(rows, KEPT_SCHEMAS[table], footer)  # checked when they were staged
            lease.check()
            files.append(store_run_file(lake, f"{folder}/part-{number:05d}{ending}", data, rows.height))
    return files


def footer_of(lake: Lake, run: Run, table: KeptTable) -> dict[str, str]:
    """The entries in the footer of a kept file: what its rows were made with, and of scores the classes in their order.

    Embeddings depend on no class, only on their encoder, and are rounded as their format says.
    """
    if table == "embeddings":
        encoder, stored_as = run.encoder or "", embedding_format(run.keep) or ""
        return {"classifier": run.classifier, "encoder": encoder, "format": stored_as}
    classes = read_class_names(lake, read_embedded_set(lake, run.description_set, run.description_version))
    return {
        "classifier": run.classifier,
        "description_set": run.description_set,
        "description_version": run.description_version,
        "classes": json.dumps(classes, ensure_ascii=False),
    }


def _take(lake: Lake, run: Run, table: KeptTable, labelled: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of the labelled images: of an image that was staged more than once the newest."""
    schema = KEPT_SCHEMAS[table]
    parts = list_files(f"{lake.staging(run.run_id)}/{table}", lake.storage)

    def read_keys(part: tuple[int, str]) -> pl.DataFrame:
        number, url = part
        keys = _read(lake, url, schema, pl.col("labelled_at"), version_key().alias("key"))
        return keys.with_row_index("row").with_columns(part=pl.lit(number, pl.UInt32))

    staged = [keys.result() for _, keys in read_ahead(read_keys, enumerate(parts), READS_AT_ONCE)]
    rows = pl.concat(staged).join(labelled, on="key", how="semi") if staged else pl.DataFrame()
    if staged:
        rows = rows.sort("labelled_at").unique("key", keep="last").sort("part", "row")
    if rows.height != labelled.height:
        raise LedgerError(
            f"run {run.run_id}: {labelled.height - rows.height:,} of {labelled.height:,} labels have no row of {table} in "
            f"{lake.staging(run.run_id)}; nothing was published. Run the same command again; if the message comes back, report "
            "it as a bug of laketag"
        )
    if staged:
        wanted = {
            number: of_part["row"] for (number,), of_part in rows.partition_by("part", as_dict=True).items()
        }
        named = [parts[number] for number in wanted]
        reads = read_ahead(lambda url: _read(lake, url, schema, pl.all()), named, PARTS_AHEAD)
        for of_part, (_, content) in zip(wanted.values(), reads, strict=True):
            yield content.result()[of_part]


def _read(lake: Lake, url: str, schema: type[dy.Schema], *columns: pl.Expr) -> pl.DataFrame:
    return through_outages(
        url, lake.storage, lambda: scan_table([url], schema, lake.storage).select(*columns).collect()
    )


def cut_by_bytes(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of the frames, in frames of about FILE_BYTES in memory; the last may be smaller."""
    held: list[pl.DataFrame] = []
    held_bytes = 0
    for frame in frames:
        of_row = frame.estimated_size() / max(1, frame.height)
        for rows in frame.iter_slices(max(1, int(FILE_BYTES / max(1, of_row)))):
            if held and held_bytes + rows.estimated_size() > FILE_BYTES:
                yield pl.concat(held)
                held, held_bytes = [], 0
            held.append(rows)
            held_bytes += int(rows.estimated_size())
    if held:
        yield pl.concat(held)
