"""The files of a table are found alike in a folder and in a store."""

import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.findings import LeftOut
from laketag.pipeline.images.table_files import find_table_files
from tests.stores.store import Store


def test_files_are_found_with_their_columns_and_the_hidden_ones_left_out(store: Store) -> None:
    kept = ("t/a=1%2F2/_b=x/part-1.PARQUET", "t/a=__HIVE_DEFAULT_PARTITION__/part-0.parq")
    hidden = ("t/_temporary/0/p.parquet", "t/.p.parquet", "t/_metadata")
    for key in (*kept, *hidden, "t/readme.md", "t/noname"):
        store.put(key, b"x")
    left_out = LeftOut()
    files = find_table_files(store.url("t"), store.storage, left_out)
    assert [file.location.url for file in files] == [store.url(key) for key in kept]
    assert [dict(file.partitions) for file in files] == [{"a": "1/2", "_b": "x"}, {"a": None}]
    assert left_out.files == {"hidden": 3, ".md": 1, "no extension": 1}


def test_files_without_any_extension_are_a_table_where_there_are_no_others(store: Store) -> None:
    for key in ("t/000000_0", "t/_SUCCESS"):
        store.put(key, b"x")
    found = find_table_files(store.url("t"), store.storage, LeftOut())
    assert [file.location.url for file in found] == [store.url("t/000000_0")]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("_delta_log/00000000000000000000.json", r"is a Delta table .*pl\.scan_delta"),
        ("metadata/v1.metadata.json", r"is an Iceberg table .*pl\.scan_iceberg"),
        (".hoodie/hoodie.properties", "is a Hudi table"),
    ],
)
def test_tables_with_their_own_lists_of_files_are_refused(store: Store, mark: str, message: str) -> None:
    for key in (f"lake/t/{mark}", "lake/t/part-0.parquet"):
        store.put(key, b"{}")
    for source in ("lake", "lake/t"):
        with pytest.raises(InputError, match=f"{store.url('lake/t')} {message}"):
            find_table_files(store.url(source), store.storage, LeftOut())
