"""However a lake is labelled, its table says the same."""

import io
from pathlib import Path

import polars as pl
from rich.console import Console

from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.flows.label_images import label_images
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.settings_file import read_settings
from tests.end_to_end.lakes import (
    VARIED,
    assert_same,
    index_named,
    put_all,
    put_described,
    table,
)
from tests.end_to_end.pictures import BROKEN, GOOD
from tests.stores.store import Store, folder_store

VARIANTS = {
    "one by one": ("run.batch_size=1", "run.rows_per_block=8"),
    "all at once": ("run.batch_size=64", "run.rows_per_block=64"),
    "two actors": ("run.actors=2", "run.cpus_per_actor=0.4", "run.batch_size=5", "run.rows_per_block=5"),
}


def label_here(store: Store, lake: str, settings: Path, overrides: tuple[str, ...] = ()) -> pl.DataFrame:
    """The table of a run on the Ray that this process is connected to."""
    chosen = read_settings(settings, overrides)
    opened = open_lake(lake, store.storage)
    label_images(opened, "c", "s", chosen, Console(file=io.StringIO()))
    return table(store, lake)


def test_batch_size_actors_and_store_change_nothing(
    moto: Store, tmp_path: Path, tiny_settings: Path, described: Path, varied_table: pl.DataFrame
) -> None:
    assert varied_table["label"].is_not_null().sum() == len(GOOD) + 15
    assert varied_table["failure"].is_not_null().sum() == len(BROKEN)
    places = [(folder_store(tmp_path), f"{tmp_path}/{name}", chosen) for name, chosen in VARIANTS.items()]
    places.append((moto, moto.url("lake"), ()))
    put_all(folder_store(tmp_path), VARIED)
    put_all(moto, VARIED)
    with ray_runtime():  # one for all, which saves a minute
        for store, lake, overrides in places:
            index_named(store, lake, VARIED)
            put_described(store, lake, described)
            assert_same(varied_table, label_here(store, lake, tiny_settings, overrides))
