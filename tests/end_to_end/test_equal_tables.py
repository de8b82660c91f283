"""However a lake is labelled, its table says the same."""

import polars as pl
import pytest

from tests.end_to_end.command_line import must_run, overrides
from tests.end_to_end.lakes import VARIED, assert_same, index_named, label, put_all, put_described, table
from tests.end_to_end.pictures import BROKEN, GOOD
from tests.stores.store import folder_store

ONE_BY_ONE = ("run.batch_size=1", "run.rows_per_block=8")
"""The table in S3 is made with these, those in folders with the others."""
VARIANTS = {
    "all at once": ("run.batch_size=64", "run.rows_per_block=64"),
    "two actors": ("run.actors=2", "run.cpus_per_actor=0.4", "run.batch_size=5", "run.rows_per_block=5"),
}


@pytest.mark.usefixtures("joined_ray")
def test_batch_size_actors_and_store_change_nothing(
    moto, tmp_path, tiny_settings, described, varied_table: pl.DataFrame
) -> None:
    assert varied_table["label"].is_not_null().sum() == len(GOOD) + 15
    assert varied_table["failure"].is_not_null().sum() == len(BROKEN)
    folder = folder_store(tmp_path)
    places = [(folder, folder.url(name), overrides(*chosen)) for name, chosen in VARIANTS.items()]
    places.append((moto, moto.url("lake"), [*moto.options, *overrides(*ONE_BY_ONE)]))
    put_all(folder, VARIED)
    put_all(moto, VARIED)
    for store, lake, options in places:
        index_named(store, lake, VARIED)
        put_described(store, lake, described)
        must_run(*label(lake), "--settings", str(tiny_settings), *options, env=store.env)
        assert_same(varied_table, table(store, lake))
