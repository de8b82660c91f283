"""CSV files are tables of text, and what cannot be read is refused as a whole."""

import gzip
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.open_tables import open_table
from tests.images.indexing import fetched, put_parquet, read_index
from tests.stores.store import folder_store


@pytest.mark.parametrize("name", ["t.csv", "T.CSV.GZ", "t.tsv", "t.tsv.gz"])
def test_csv_files_are_tables_whose_values_are_text(tmp_path: Path, name: str) -> None:
    store = folder_store(tmp_path)
    store.put("a,b.jpg", b"picture")
    text = '\ufeffID,x,x,File Name\n007,1,2,"a,b.jpg"\n008,,,\n'.encode()
    if ".tsv" in name:
        text = text.replace(b",", b"\t").replace(b"a\tb", b"a,b")
    source = store.put(name, gzip.compress(text, mtime=0) if name.lower().endswith(".gz") else text)
    index = read_index(store, source, id="ID")
    assert index["image_id"].to_list() == ["007"]
    assert fetched(store, index) == [b"picture"]


def test_quoted_values_of_csv_files_have_line_breaks_in_files_of_any_size(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    rows = "".join(f'/{number}.jpg,"a line,\nand another\n\n"\n' for number in range(60_000))
    index = read_index(store, store.put("t.csv", f'path,"a\nlong caption"\n{rows}'.encode()))
    assert index["uri"].to_list() == [f"/{number}.jpg" for number in range(60_000)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"url,x\na\n", "cannot be read .*Expected 2 columns, got 1"),
        ("t.csv", b"url\n\xff\n", "cannot be read .*UTF-?8"),
        ("t.csv", b"\xff\xfe\n", "is no CSV file in UTF-8"),
        ("t.csv.gz", b"no gzip", "is no CSV file in UTF-8"),
        ("t.csv.gz", gzip.compress(b"url\n" + os.urandom(9000).hex().encode())[:5000], "cannot be read"),
        ("t.csv.gz", gzip.compress(b"url\n/a.jpg\n", mtime=0)[:-8] + b"\0" * 8, "cannot be read .*CRC"),
        (
            "t.csv.gz",
            gzip.compress(b"x" * 2**25, mtime=0),
            "field larger than",
        ),  # 32 MiB in one line, of which 1 is unpacked
        ("t.csv", b"", "is empty"),
        ("t.parquet", b"no table", "is no Parquet file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    store = folder_store(tmp_path)
    with pytest.raises(InputError, match=message):
        read_index(store, store.put(name, data))


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    text = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(InputError, match=r"t\.parquet cannot be read .*UTF8"):
        read_index(store, put_parquet(store, "t.parquet", {"uri": text}))


def test_a_parquet_file_whose_pages_are_damaged_is_refused() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"uri": [os.urandom(20).hex() for _ in range(1000)]}), sink)
    damaged = bytearray(sink.getvalue())
    damaged[4:2000] = b"\xff" * 1996
    with pytest.raises(InputError, match=r"t\.parquet cannot be read"):
        list(open_table("t.parquet", io.BytesIO(damaged)).batches(["uri"]))


def test_a_parquet_file_whose_footer_is_damaged_is_refused_on_one_line() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"uri": ["a"]}), sink)
    damaged = bytearray(sink.getvalue())
    size = int.from_bytes(damaged[-8:-4], "little")
    damaged[-8 - size : -8] = b"\xff" * size
    with pytest.raises(InputError, match=r"t\.parquet cannot be read .*; write the table again") as raised:
        open_table("t.parquet", io.BytesIO(damaged))
    assert "\n" not in str(raised.value)
