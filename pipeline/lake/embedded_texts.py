"""Texts that a text tower has embedded already, wherever in the lake.

They are in versions of description sets, and in ``staging/texts-TOWER/``: what a call that has not finished has embedded so far.
"""

import hashlib
from collections.abc import Iterator

import polars as pl

from laketag.pipeline.lake.description_versions import TEXT_TOWER, description_url, list_versions
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_footer, read_table, scan_table, write_table
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Descriptions

MADE_BY_THE_TOWER = ("tokens", "truncated", "embedding")
"""The columns of schemas.Descriptions that depend on a row's text and on the text tower alone."""
TOWER_CHARACTERS = 16


def find_embedded_texts(lake: Lake, rows: pl.DataFrame, text_tower: str) -> pl.DataFrame:
    """The texts of the rows that this text tower has embedded before, each once: text, tokens, truncated, embedding.

    Of a text that the rows drop (``drop_reason``) the embedding may be null. Files are read until nothing is missing.
    """
    wanted = rows.group_by("text").agg(is_kept=pl.col("drop_reason").is_null().any())
    found = [Descriptions.create_empty().select("text", *MADE_BY_THE_TOWER)]
    for url in _files(lake, text_tower):
        if wanted.is_empty():
            break
        if read_footer(url, lake.storage).get(TEXT_TOWER) != text_tower:
            continue
        stored = scan_table([url], Descriptions, lake.storage).select("text", *MADE_BY_THE_TOWER)
        texts = through_outages(url, lake.storage, stored.select("text").collect)
        if texts["text"].is_in(wanted["text"].implode()).any():
            known = read_table(url, Descriptions, lake.storage).select("text", *MADE_BY_THE_TOWER)
            known = known.sort(pl.col("embedding").is_null()).unique("text", keep="first")
            known = known.join(wanted, on="text").filter(
                pl.col("embedding").is_not_null() | ~pl.col("is_kept")
            )
            found.append(known.drop("is_kept"))
            wanted = wanted.join(known, on="text", how="anti")
    return pl.concat(found)


def stage_embedded_texts(lake: Lake, rows: pl.DataFrame, text_tower: str) -> None:
    """What the text tower has made of these rows (schemas.Descriptions) is found by later calls.

    The rows may be of several sets, in which the same class has the same positions: each text is stored once, numbered anew.
    """
    rows = rows.sort(pl.col("embedding").is_null(), maintain_order=True).unique("text", maintain_order=True)
    rows = rows.with_columns(position=pl.int_range(pl.len()))
    name = hashlib.blake2b(rows["text"].str.join("\n")[0].encode(), digest_size=16).hexdigest()
    url = f"{_staging(lake, text_tower)}/{name}.parquet"
    write_table(rows, url, Descriptions, lake.storage, {TEXT_TOWER: text_tower})


def remove_staged_texts(lake: Lake, text_tower: str) -> None:
    """Nothing is staged of the text tower. Another call that embeds with it at the same time loses no more than a part of
    its work, and only if it is killed."""
    if list_files(_staging(lake, text_tower), lake.storage):
        remove_folder(_staging(lake, text_tower), lake.storage)


def _files(lake: Lake, text_tower: str) -> Iterator[str]:
    """The files that may hold embedded texts: those staged, then each set's versions, the newest first."""
    yield from list_files(_staging(lake, text_tower), lake.storage)
    for folder in list_folders(lake.path("descriptions"), lake.storage):
        set_name = folder.removeprefix("set=")
        for version in reversed(list_versions(lake, set_name)):
            yield description_url(lake, set_name, version)


def _staging(lake: Lake, text_tower: str) -> str:
    return lake.staging(f"texts-{text_tower[:TOWER_CHARACTERS]}")
