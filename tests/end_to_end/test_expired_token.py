"""A token that expires in the middle of a run ends it without a result for any image that was not read."""

import io

import polars as pl
import pytest

from laketag.pipeline.store.folders import list_files
from tests.end_to_end.command_line import run_laketag
from tests.end_to_end.lakes import index_named, label, many_images, put_all, put_described, staged_rows, table
from tests.stores.bends import Bend, Expires
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import OWNER, Store

IMAGES, READ = 300, 200
SECRETS = (OWNER.secret_key, OWNER.access_key)


def everything(store: Store) -> list[str]:
    """The content of each object of the store, packed tables as text."""
    contents = []
    for url in list_files(store.root, store.storage, ""):
        data = store.get(url.removeprefix(f"{store.root}/"))
        contents.append(data.decode("latin-1"))
        if url.endswith(".parquet"):
            contents.append(str(pl.read_parquet(io.BytesIO(data)).to_dicts()))
    return contents


@pytest.mark.usefixtures("joined_ray")
def test_all_images_are_labelled_once_the_token_is_renewed(
    moto: Store, moto_faults: FaultProxy, described, tiny_settings
) -> None:
    lake, images = moto.url("lake"), many_images(IMAGES)
    put_all(moto, images)
    index_named(moto, lake, images)
    put_described(moto, lake, described)
    command = (*label(lake), "--settings", str(tiny_settings), *moto.options)
    command += ("-o", f"source.endpoint_url={moto_faults.url}", "-o", "storage.max_outage_s=2")
    command += ("-o", "run.max_failed_fraction=1")
    moto_faults.bend = Expires(READ)

    env = {**moto.env, "AWS_SESSION_TOKEN": "a-planted-session-token"}
    stopped = run_laketag(*command, env=env)
    assert stopped.code == 4, stopped.err
    for place in (stopped.out, stopped.err, *everything(moto)):
        assert not [secret for secret in (*SECRETS, "a-planted-session-token") if secret in place]
    assert "ExpiredToken" in stopped.err.replace("\n", " ")
    assert "have expired or were revoked" in " ".join(stopped.err.split())
    staged = staged_rows(moto, lake)
    assert 0 < staged.height <= READ
    assert staged["failure"].null_count() == staged.height

    moto_faults.bend = Bend()
    done = run_laketag(*command, env=moto.env)
    assert done.code == 0, done.err
    rows = table(moto, lake)
    assert (rows.height, rows["label"].null_count()) == (IMAGES, 0)
    assert rows["image_id"].n_unique() == IMAGES
