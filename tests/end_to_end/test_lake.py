"""From index to query through the command line, on Ceph.

tests/end_to_end/test_nights.py does the same in a folder, and test_equal_tables.py and test_expired_token.py label on moto.
"""

import json

import polars as pl
import pytest

from laketag.pipeline.store.folders import list_files
from tests.end_to_end.command_line import must_run, spawn_laketag
from tests.end_to_end.lakes import label, put_all, put_described
from tests.end_to_end.pictures import BROKEN, GOOD, encoded, picture
from tests.stores.store import STRANGER, Store, folder_store

C = "pets"
pytestmark = pytest.mark.ceph


def read_json(store: Store, *query: str) -> list[dict[str, object]]:
    rows = json.loads(
        must_run("query", *query, "--root", store.url("lake"), "--format", "json", env=store.env)
    )
    assert isinstance(rows, list)
    return rows


def failures_by_name(store: Store) -> dict[str, object]:
    return {str(row["uri"]).rpartition("images/")[2]: row["failure"] for row in read_json(store, "failures")}


@pytest.mark.usefixtures("joined_ray")
def test_a_lake_is_indexed_described_labelled_and_asked(ceph, tiny_settings, descriptions) -> None:
    root, images = ceph.url("lake"), ceph.url("images")
    put_all(ceph, GOOD | {name: data for name, (data, _) in BROKEN.items()} | {"cats/notes.txt": b"no image"})
    put_all(ceph, {"gone/later.jpg": encoded(picture(30)), "gone/changed.jpg": encoded(picture(31))})
    put_all(ceph, {"elsewhere/stray.jpg": encoded(picture(33))})

    indexing = ("index", images, "--root", root, "-c", C, "--class-from-folder")
    said = must_run(*indexing, env=ceph.env)
    assert f"{len(GOOD) + len(BROKEN) + 3}" in said
    assert "left out, .txt" in said
    chosen = ("--root", root, "-s", "s", "--settings", str(tiny_settings))
    must_run("describe", str(descriptions), *chosen, *ceph.options, env=ceph.env)

    ceph.delete("images/gone/later.jpg")
    ceph.put("images/gone/changed.jpg", encoded(picture(32)))
    allowed = json.dumps([f"{images}/{folder}" for folder in ("cats", "dogs", "birds", "gone")])
    labelling = ("label", *chosen, "-c", C, "-o", f"fetch.allowed_roots={allowed}")
    said = must_run(*labelling, *ceph.options, env=ceph.env)
    expected = {name: reason for name, (_, reason) in BROKEN.items()}
    expected |= {"gone/later.jpg": "not_found", "gone/changed.jpg": "changed"}
    expected |= {"elsewhere/stray.jpg": "outside_policy"}
    assert failures_by_name(ceph) == expected
    labelled = read_json(ceph, "labels")
    assert {str(row["uri"]).rpartition("images/")[2] for row in labelled} == set(GOOD)
    assert {row["label"] for row in labelled} <= {"cat", "dog", "bird"}
    for reason in set(expected.values()):
        assert reason in said
    assert "planned" in said

    # nothing new: nothing to do, except what may pass, and that is what the run says
    ceph.put("images/gone/changed.jpg", encoded(picture(32)))
    must_run(*indexing, env=ceph.env)
    said = must_run(*labelling, *ceph.options, env=ceph.env)
    assert f"already done {len(GOOD) + len(BROKEN) + 1}" in " ".join(said.split())
    assert "labelled 1" in " ".join(said.split())
    assert "nothing to do" in must_run(*labelling, *ceph.options, env=ceph.env)

    summary = read_json(ceph, "summary")
    assert sum(int(str(row["images"])) for row in summary) == len(GOOD) + 1
    runs = read_json(ceph, "runs")
    assert [row["planned"] for row in runs] == [len(GOOD) + len(BROKEN) + 3, 1]
    counted = read_json(ceph, "sql", "SELECT count(*) AS n FROM labels WHERE probability >= 0")
    assert counted == [{"n": len(GOOD) + 1}]

    # the files are plain Parquet: sorted, a handful, each column's meaning in the footer
    files = list_files(f"{root}/labels", ceph.storage)
    assert len(files) == 2
    assert list_files(f"{root}/staging", ceph.storage, suffix="") == []


@pytest.mark.usefixtures("joined_ray")
def test_images_of_a_bucket_that_the_credentials_may_not_read_get_no_result_until_others_may(
    ceph, tiny_settings, described, tmp_path
) -> None:
    """The lake is a folder, the images lie in a bucket whose owner they were indexed as."""
    put_all(ceph, {f"cats/{number}.jpg": encoded(picture(number)) for number in range(12)})
    lake, run = str(tmp_path / "lake"), ("--settings", str(tiny_settings))
    must_run("index", ceph.url("images"), "--root", lake, "-c", C, env=ceph.env)
    put_described(folder_store(tmp_path), lake, described)
    stranger = {
        **ceph.env,
        "AWS_ACCESS_KEY_ID": STRANGER.access_key,
        "AWS_SECRET_ACCESS_KEY": STRANGER.secret_key,
    }
    stopped = spawn_laketag(*label(lake, C), *run, env=stranger)
    assert stopped.code == 4
    assert "were not read and get no result" in " ".join(stopped.err.split())
    assert "Traceback" not in stopped.err
    said = must_run(*label(lake, C), *run, *ceph.options, env=ceph.env)
    assert "going on with run" in said
    assert "labelled 12" in " ".join(said.split())
    assert pl.read_parquet(f"{lake}/labels/**/*.parquet")["failure"].null_count() == 12
