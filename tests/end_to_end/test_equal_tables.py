"""However a lake is labelled, its table says the same."""

import polars as pl
import pytest

from tests.end_to_end.command_line import must_run, overrides
from tests.end_to_end.lakes import VARIED, assert_same, index_named, label, put_all, put_described, table
from tests.end_to_end.pictures import BROKEN, GOOD
from tests.stores.store import folder_store

ALL_AT_ONCE = ("run.batch_size=64", "run.rows_per_block=64")
"""So the table in the folder is made."""
ONE_BY_ONE = ("run.actors=2", "run.cpus_per_actor=0.4", "run.batch_size=1", "run.rows_per_block=5")
"""So the table in S3 is made, by two actors."""


@pytest.mark.usefixtures("joined_ray")
def test_batch_size_actors_and_store_change_nothing(moto, tmp_path, tiny_settings, described) -> None:
    tables = []
    for store, chosen in ((folder_store(tmp_path), ALL_AT_ONCE), (moto, ONE_BY_ONE)):
        lake = store.url("lake")
        put_all(store, VARIED)
        index_named(store, lake, VARIED)
        put_described(store, lake, described)
        settings = ("--settings", str(tiny_settings), *store.options, *overrides(*chosen))
        must_run(*label(lake), *settings, env=store.env)
        tables.append(table(store, lake))
    assert_same(*tables)
    failed = tables[0].filter(pl.col("failure").is_not_null())
    assert dict(failed.select("image_id", "failure").rows()) == {
        name: reason for name, (_, reason) in BROKEN.items()
    }
    assert tables[0]["label"].is_not_null().sum() == len(GOOD) + 15
