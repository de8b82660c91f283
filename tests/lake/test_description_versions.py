"""Versions of description sets: which is newest, what it contains, what embedded it."""

import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import (
    FOOTER_ENTRIES,
    TEXT_TOWER,
    description_url,
    find_same_content,
    latest_embedded_set,
    list_versions,
    read_descriptions_table,
)
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.tables import read_footer, write_table
from laketag.schemas import Descriptions
from tests.lake.pets import pets_frame, write_pets
from tests.stores.store import Store


def test_a_version_is_read_back_with_what_embedded_it(store: Store) -> None:
    lake = open_lake(store.root, store.storage)
    made = write_pets(lake, "a" * 16)
    assert latest_embedded_set(lake, "pets") == made
    assert made.content_hash == "a" * 16
    assert read_descriptions_table(lake, "pets", made.version).equals(pets_frame())
    footer = read_footer(description_url(lake, "pets", made.version), lake.storage)
    assert set(footer) == {"schema", "description", *FOOTER_ENTRIES, TEXT_TOWER, "created_at"}


def test_the_newest_version_sorts_last_and_only_it_can_have_the_same_content(lake) -> None:
    old, new = write_pets(lake, "f" * 16), write_pets(lake, "a" * 16)
    assert list_versions(lake, "pets") == [old.version, new.version]
    assert latest_embedded_set(lake, "pets") == new
    assert find_same_content(lake, "pets", ["b" * 16, "a" * 16]) == new.version
    assert find_same_content(lake, "pets", ["f" * 16]) is None
    assert find_same_content(lake, "none", ["f" * 16]) is None


def test_a_version_without_its_file_does_not_count(lake, tmp_path) -> None:
    made = write_pets(lake, "a" * 16)
    (tmp_path / "descriptions" / "set=pets" / "version=99990101T000000.000000Z-killed").mkdir()
    assert latest_embedded_set(lake, "pets") == made


def test_an_unknown_set_is_refused_with_the_existing_ones(lake) -> None:
    with pytest.raises(InputError, match="no description set 'pets'; write one with: laketag describe"):
        latest_embedded_set(lake, "pets")
    write_pets(lake, "a" * 16, "animals")
    with pytest.raises(InputError, match="it has animals;"):
        latest_embedded_set(lake, "pets")


def test_a_file_that_does_not_say_what_embedded_it_is_refused(lake) -> None:
    write_table(pets_frame(), description_url(lake, "pets", "v-b"), Descriptions, lake.storage)
    with pytest.raises(
        InputError, match="its footer lacks backbone, backbone_sha256, label_prompt; describe"
    ):
        latest_embedded_set(lake, "pets")
