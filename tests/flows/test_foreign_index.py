"""Without fetch.allowed_roots, what comes from a store names no file of this machine."""

import pytest

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.decoded_images import reads_local_images
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.snapshots import scan_snapshot
from tests.images.indexing import put_parquet
from tests.images.reading import read_one, with_settings
from tests.stores.store import Store


def index(lake: Lake, store: Store, source: str, kind: str, **allowed: object) -> tuple[object, list[str]]:
    found = Source(url=source, kind=kind)  # type: ignore[arg-type]
    request = IndexRequest(source=found, collection="c", storage=store.storage, **allowed)  # type: ignore[arg-type]
    summary = index_images(lake, request)
    return summary, scan_snapshot(lake, summary.snapshot).collect()["uri"].to_list()


def test_a_table_or_list_in_a_store_names_no_local_file(moto: Store, tmp_path) -> None:
    own = moto.put("x.jpg", b"x")
    foreign = [
        "/etc/passwd",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "local:///etc/passwd",
        "FILE:///etc/passwd",
    ]
    table = put_parquet(moto, "t.parquet", {"uri": [own, *foreign[:2], "../../../../etc/passwd"]})
    lake = open_lake(str(tmp_path), moto.storage)
    summary, uris = index(lake, moto, table, "table")
    assert not [uri for uri in uris if uri.startswith("/")]
    assert own in uris
    assert sum(summary.left_out.values()) == 2  # type: ignore[attr-defined]
    paths = moto.put("l.txt", "\n".join([own, *foreign]).encode())
    assert index(lake, moto, paths, "list")[1] == [own]
    paths = moto.put("allowed.txt", f"{own}\n/etc/passwd".encode())
    _, uris = index(lake, moto, paths, "list", allowed_roots=("/etc", moto.root))
    assert set(uris) == {own, "/etc/passwd"}


def test_a_lake_in_a_store_is_not_followed_to_local_files_unless_the_settings_say_so(
    moto: Store, tmp_path
) -> None:
    image = tmp_path / "x.jpg"
    image.write_bytes(b"picture")
    lake = open_lake(moto.url("lake"), moto.storage)
    with pytest.raises(InputError, match=r"none of its images can be read.*fetch\.allowed_roots"):
        index(lake, moto, str(tmp_path), "folder")
    assert not reads_local_images(lake, Settings())
    assert reads_local_images(open_lake(str(tmp_path), moto.storage), Settings())
    refused, allowed = (
        with_settings(local_images=False),
        with_settings(local_images=False, allowed_roots=(str(tmp_path),)),
    )
    assert read_one(moto, str(image), settings=refused).reason == "outside_policy"
    assert read_one(moto, f"file://{image}", settings=refused).reason == "outside_policy"
    assert read_one(moto, str(image), settings=allowed).data == b"picture"
    assert read_one(moto, str(image), settings=with_settings(local_images=True)).data == b"picture"
    assert index(lake, moto, str(tmp_path), "folder", local_images=True)[1] == [str(image)]
