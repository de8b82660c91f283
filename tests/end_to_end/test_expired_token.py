"""A token that expires in the middle of a run costs no image, and no secret is written anywhere on the way."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import ray
from PIL import Image

from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files
from laketag.pipeline.store.s3_access import resolve_access
from tests.end_to_end.command_line import one_line, overrides, run_laketag
from tests.end_to_end.lakes import label, put_described, staged_rows, table
from tests.stores.bends import Bend, Expires
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import OWNER, Store

IMAGES, READS = 300, 200  # promised so in docs/reliability.md
TOKEN, SIGNATURE, PASSWORD, USER_TOKEN = (
    "planted-session-token",
    "9f5e7a1b3c",
    "planted-password",
    "planted-pat",
)
SECRETS = (OWNER.access_key, OWNER.secret_key, TOKEN, PASSWORD, USER_TOKEN)


def put_images(store: Store) -> pl.DataFrame:
    """Tiny images of one colour, an index row of each, and rows of pages whose URLs have credentials."""
    uris = []
    for number in range(IMAGES):
        png = io.BytesIO()
        Image.new("RGB", (24, 24), (number % 256, 80, 160)).save(png, "PNG")
        uris.append(store.put(f"images/{number:03}.png", png.getvalue()))
    host = str(store.storage.endpoint_url).removeprefix("http://")
    key = uris[0].removeprefix("s3://")
    uris += [
        f"http://{host}/{key}?X-Amz-Signature={SIGNATURE}",
        f"http://{host}/{key}.gone?X-Amz-Signature={SIGNATURE}",
        f"http://somebody:{PASSWORD}@{host}/{key}",
        f"http://{USER_TOKEN}@{host}/{key}",
    ]
    return pl.DataFrame({"id": [f"{number:03}" for number in range(len(uris))], "uri": uris})


def contents(store: Store) -> Iterable[tuple[str, str]]:
    """The key and the content of each object below the root of the lake, also what is packed in tables and their footers."""
    for url in list_files(store.url("lake"), store.storage, ""):
        data = store.get(url.removeprefix(f"{store.root}/"))
        yield url, data.decode("latin-1")
        if url.endswith(".parquet"):
            yield url, str(pl.read_parquet(io.BytesIO(data)).to_dicts())
            yield url, str(pq.read_metadata(io.BytesIO(data)).metadata)


def logs() -> Iterable[tuple[str, str]]:
    folder = Path(ray._private.worker._global_node.get_logs_dir_path())
    for file in folder.rglob("*.*"):
        if file.is_file():
            yield str(file), file.read_text("latin-1")


@pytest.mark.usefixtures("joined_ray")
def test_all_images_are_labelled_once_the_token_is_renewed_and_no_secret_is_written(
    moto: Store, moto_faults: FaultProxy, shared_ray, described, tiny_settings, tmp_path: Path
) -> None:
    lake = moto.url("lake")
    names = io.BytesIO()
    put_images(moto).write_parquet(names)
    source = moto.put("names.parquet", names.getvalue())
    put_described(moto, lake, described)
    env = {**moto.env, "AWS_SESSION_TOKEN": TOKEN, "RAY_AUTH_TOKEN": shared_ray.env["RAY_AUTH_TOKEN"]}
    said = []

    def run(*arguments: str) -> tuple[int, str]:
        outcome = run_laketag(*arguments, env=env)
        said.append((" ".join(arguments), outcome.out + outcome.err))
        return outcome.code, one_line(outcome.err)

    roots = f'fetch.allowed_roots=["{moto.root}", "{moto.storage.endpoint_url}"]'
    assert run("index", source, "--root", lake, "-c", "c", "--id-column", "id", *overrides(roots))[0] == 0
    command = (*label(lake), "--settings", str(tiny_settings), "--json", "-v", *moto.options)
    through = f"source.endpoint_url={moto_faults.url}"
    command += (
        *overrides(
            roots,
            through,
            "storage.max_outage_s=2",
            "method.name=clip",
            "run.rows_per_block=25",
            "run.batch_size=25",
        ),
    )

    moto_faults.bend = Expires(READS)
    code, err = run(*command)
    assert (code, "ExpiredToken" in err, "have expired or were revoked" in err) == (4, True, True), err
    assert re.search(r"workers wait: s3://\S+: .*ExpiredToken.* trying again for up to 2 s", err)
    staged = staged_rows(moto, lake).filter(pl.col("uri").str.starts_with("s3:"))
    assert staged.height <= READS
    assert staged["failure"].null_count() == staged.height

    moto_faults.bend = Bend()
    code, err = run(*command)
    assert code == 0, err
    rows = table(moto, lake)
    failed = rows.filter(pl.col("failure").is_not_null())
    assert rows["image_id"].n_unique() == rows.height == IMAGES + 4
    assert failed["failure"].to_list() == ["not_found", "outside_policy", "outside_policy"]
    assert verify(open_lake(lake, moto.storage)).faults == []

    of_label = [*said, *logs()]
    for query in ("runs", "labels", "failures"):  # which show the URI of each image
        assert run("query", query, "--root", lake)[0] == 0
    shown = repr((open_lake(lake, moto.storage), resolve_access(moto.storage)))
    places = [*contents(moto), *said, *logs(), ("repr", shown)]
    secrets = (*SECRETS, env["RAY_AUTH_TOKEN"])
    assert [(where, secret) for where, text in places for secret in secrets if secret in text] == []
    assert [where for where, text in of_label if SIGNATURE in text] == []
