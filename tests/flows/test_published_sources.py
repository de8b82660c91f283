"""Tables in exactly the shape in which well-known programs write them are read without any option."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.errors import InputError
from tests.flows.indexed import Indexed, index
from tests.images.decoding import encode, gradient

PICTURES = [encode(gradient(8 + n, 8), "JPEG") for n in range(4)]


def write(folder: Path, name: str, columns: dict[str, Any], metadata: dict[str, str] | None = None) -> Path:
    file = folder / "data" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **(metadata or {})}), file)
    return file


def put_pictures(folder: Path, *names: str) -> list[str]:
    paths = [folder / "data" / name for name in names]
    for path, picture in zip(paths, PICTURES, strict=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    return [str(path) for path in paths]


def sentences(indexed: Indexed) -> str:
    return " ".join(indexed.summary.columns)


def img2dataset(**changes: Any) -> dict[str, Any]:
    """A shard of img2dataset with output_format="parquet", of which one download failed."""
    return {
        "url": [f"http://example.org/{n}.jpg" for n in range(4)],
        "key": [f"00000000{n}" for n in range(4)],
        "status": ["success", "success", "failed_to_download", "success"],
        "error_message": [None, None, "HTTP Error 404: Not Found", None],
        "width": [8, 9, None, 11],
        "height": [8, 8, None, 8],
        "original_width": [8, 9, None, 11],
        "original_height": [8, 8, None, 8],
        "exif": ["{}", "{}", None, "{}"],
        "sha256": ["0", "1", None, "3"],
        "jpg": [*PICTURES[:2], None, PICTURES[3]],
        **changes,
    }


def test_img2dataset_has_bytes_beside_urls_that_are_never_read(tmp_path: Path) -> None:
    indexed = index(write(tmp_path, "00000.parquet", img2dataset()), tmp_path / "lake")
    assert indexed.fetched == [*PICTURES[:2], "empty", PICTURES[3]]
    assert indexed.summary.unreadable == {"the row holds no bytes": 1}
    assert "the bytes in column 'jpg'" in sentences(indexed)
    assert "the URIs in column 'url' are not read" in sentences(indexed)


def test_img2dataset_without_bytes_is_refused_because_nothing_reads_its_urls(tmp_path: Path) -> None:
    columns = img2dataset()
    del columns["jpg"]
    with pytest.raises(InputError, match=r"none of its images can be read, 4 of 4: http://.*column 'url'"):
        index(write(tmp_path, "00000.parquet", columns), tmp_path / "lake")


def test_a_column_of_bytes_that_holds_none_gives_way(tmp_path: Path) -> None:
    paths = put_pictures(tmp_path, "a.jpg", "b.jpg")
    nothing = pa.array([None, None], pa.binary())
    columns = {"jpg": nothing, "png": PICTURES[2:], "path": paths}
    assert index(write(tmp_path, "0.parquet", columns), tmp_path / "lake").fetched == PICTURES[2:]
    del columns["png"]
    assert index(write(tmp_path, "1.parquet", columns), tmp_path / "lake").fetched == PICTURES[:2]
    del columns["path"]
    with pytest.raises(InputError, match=r"2 of 2: the row holds no bytes \(such as .*column 'jpg'"):
        index(write(tmp_path, "2.parquet", columns), tmp_path / "lake")


@pytest.mark.parametrize("has_content", [True, False])
def test_binary_files_of_spark_are_bytes_or_paths_with_one_slash(tmp_path: Path, has_content: bool) -> None:
    paths = put_pictures(tmp_path, "a.jpg", "100%25 b.jpg")
    columns = {
        "path": [f"file:{path}" for path in paths],
        "modificationTime": [0, 0],
        "length": [len(picture) for picture in PICTURES[:2]],
    }
    indexed = index(
        write(tmp_path, "part-0.parquet", columns | ({"content": PICTURES[:2]} if has_content else {})),
        tmp_path / "lake",
    )
    assert sorted(indexed.fetched) == sorted(PICTURES[:2])  # type: ignore[type-var]


@pytest.mark.parametrize("is_declared", [True, False])
def test_hugging_face_datasets_with_bytes(tmp_path: Path, is_declared: bool) -> None:
    features = {"picture": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    images = [{"bytes": picture, "path": f"{n}.jpg"} for n, picture in enumerate(PICTURES[:2])]
    name = "picture" if is_declared else "image"
    file = write(
        tmp_path,
        "train-00000-of-00001.parquet",
        {name: images, "label": [1, 0]},
        {"huggingface": json.dumps({"info": {"features": features}})},
    )
    indexed = index(file, tmp_path / "lake", true_class="label")
    assert indexed.fetched == PICTURES[:2]
    assert indexed.rows["true_class"].to_list() == ["dog", "cat"]


def test_hugging_face_datasets_name_files_where_bytes_are_null(tmp_path: Path) -> None:
    (absolute, _) = put_pictures(tmp_path, "a.jpg", "sub/b.jpg")
    images = [
        {"bytes": None, "path": absolute},
        {"bytes": None, "path": "sub/b.jpg"},
        {"bytes": PICTURES[2], "path": "c.jpg"},
        {"bytes": None, "path": None},
        None,
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    indexed = index(write(tmp_path, "t.parquet", {"image": pa.array(images, kind)}), tmp_path / "lake")
    by_name = dict(zip(indexed.rows["uri"].str.split("/").list.last(), indexed.fetched, strict=True))
    assert by_name == {
        "a.jpg": PICTURES[0],
        "b.jpg": PICTURES[1],
        "t.parquet#column=image.bytes&row=000000002": PICTURES[2],
        "t.parquet#column=image.bytes&row=000000003": "empty",
        "t.parquet#column=image.bytes&row=000000004": "empty",
    }
    assert indexed.summary.unreadable == {"the row holds no bytes": 2}


@pytest.mark.parametrize("kind", ["bytes", "struct"])
def test_a_webdataset_as_parquet(tmp_path: Path, kind: str) -> None:
    png = [encode(gradient(8, 8), "PNG")] * 2
    columns = {
        "__key__": ["0001", "0002"],
        "__url__": ["/data/0.tar"] * 2,
        "json": ['{"a": 1}'] * 2,
        "cls": [0, 1],
        "png": png if kind == "bytes" else [{"bytes": data, "path": "x.png"} for data in png],
    }
    assert index(write(tmp_path, "0.parquet", columns), tmp_path / "lake").fetched == png


def test_a_webdataset_with_pictures_in_several_formats(tmp_path: Path) -> None:
    structs = [{"bytes": PICTURES[0], "path": "1.jpg"}, None, None, None]
    columns = {
        "__key__": list("1234"),
        "jpg": structs,
        "png": [None, PICTURES[1], None, None],
        "webp": [None, None, PICTURES[2], None],
    }
    indexed = index(write(tmp_path, "0.parquet", columns), tmp_path / "lake")
    assert sorted(map(str, indexed.fetched)) == sorted(map(str, [*PICTURES[:3], "empty"]))
    assert indexed.summary.unreadable == {"the row holds no bytes": 1}
    assert "where there are none, those in 'png', 'webp' are taken" in sentences(indexed)


def test_a_delta_table_is_refused_with_the_command_that_lists_its_live_rows(tmp_path: Path) -> None:
    for part in range(2):
        write(tmp_path, f"part-{part}.parquet", {"image": PICTURES[: 2 + part]})
    log = tmp_path / "data/_delta_log/00000000000000000000.json"
    log.parent.mkdir()
    log.write_text('{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n')
    folder = tmp_path / "data"
    for source in (folder, tmp_path):
        with pytest.raises(
            InputError, match=rf"{folder} is a Delta table \(_delta_log\).*pl\.scan_delta\('{folder}'\)"
        ):
            index(source, tmp_path / "lake", is_table=True)
    assert index(folder / "part-1.parquet", tmp_path / "lake").fetched == PICTURES[:3]


def test_an_iceberg_table_is_refused_alike(tmp_path: Path) -> None:
    write(tmp_path, "data/00000-0.parquet", {"image": PICTURES})
    for version in ("v9", "v10", "v2"):
        metadata = tmp_path / f"data/metadata/{version}.metadata.json"
        metadata.parent.mkdir(exist_ok=True)
        metadata.write_text("{}")
    with pytest.raises(InputError, match=r"an Iceberg table.*pl\.scan_iceberg\('.*/v10\.metadata\.json'\)"):
        index(tmp_path / "data", tmp_path / "lake", is_table=True)


def test_a_hudi_table_is_refused_alike(tmp_path: Path) -> None:
    write(tmp_path, "t/0.parquet", {"image": PICTURES})
    (tmp_path / "data/t/.hoodie").mkdir()
    with pytest.raises(InputError, match=r"data/t is a Hudi table \(\.hoodie\)"):
        index(tmp_path / "data", tmp_path / "lake", is_table=True)


def test_folders_of_hive_are_columns(tmp_path: Path) -> None:
    partitions = ("label=sea%20otter/day=1", "label=__HIVE_DEFAULT_PARTITION__/day=2", "_kind=x/label=cat")
    for partition, picture in zip(partitions, PICTURES, strict=False):
        write(tmp_path, f"t/{partition}/part-0.parquet", {"image": [picture], "label": ["stale"]})
    indexed = index(tmp_path / "data/t", tmp_path / "lake", is_table=True, true_class="label")
    found = dict(zip(indexed.fetched, indexed.rows["true_class"], strict=True))
    assert found == {PICTURES[0]: "sea otter", PICTURES[1]: None, PICTURES[2]: "cat"}


def test_what_spark_and_arrow_pass_over_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "part-0.parquet", {"image": PICTURES[:1]})
    write(tmp_path, "_temporary/0/part-9.parquet", {"image": PICTURES[1:2]})
    own = write(tmp_path, "_underscore.parquet", {"image": PICTURES[2:3]})
    for name in ("_SUCCESS", ".part-0.parquet.crc", "_metadata"):
        (tmp_path / "data" / name).write_bytes(b"")
    indexed = index(tmp_path / "data", tmp_path / "lake", is_table=True)
    assert indexed.fetched == PICTURES[:1]
    assert indexed.summary.left_out == {"hidden": 5}
    assert index(own, tmp_path / "lake").fetched == PICTURES[2:3]
