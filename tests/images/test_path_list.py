"""Lists of paths and URIs become images with the versions that they have now."""

from pathlib import Path

import pytest

from laketag.pipeline.errors import InputError
from tests.flows.indexed import index
from tests.stores.store import Store


def test_a_list_names_images_by_paths_and_uris(store: Store, tmp_path: Path) -> None:
    for name in ("cat/a b.jpg", "dog/_b.jpg"):
        store.put(f"in/{name}", name.encode())
    lines = ["cat/a b.jpg", "", store.url("in/dog/_b.jpg"), "dog/gone.jpg"]
    listed = store.put("in/list.txt", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    indexed = index(listed, tmp_path / "lake", storage=store.storage, class_from_folder=True)
    assert indexed.fetched == [b"cat/a b.jpg", b"dog/_b.jpg", "not_found"]
    assert indexed.rows["true_class"].to_list() == ["cat", "dog", "dog"]


def test_a_single_image_is_a_collection(store: Store, tmp_path: Path) -> None:
    image = store.put("in/_x.jpg", b"picture")
    indexed = index(image, tmp_path / "lake", storage=store.storage)
    assert (indexed.rows["uri"].to_list(), indexed.fetched) == ([image], [b"picture"])


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"a.jpg\n\xff.jpg\n")
    with pytest.raises(InputError, match=r"list\.txt line 2 is not UTF-8"):
        index(tmp_path / "list.txt", tmp_path / "lake")


def test_a_path_that_is_listed_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.jpg\n./a.jpg\n")
    with pytest.raises(InputError, match=r"1 image\(s\) are in the index twice, such as .*a\.jpg"):
        index(tmp_path / "list.txt", tmp_path / "lake")
