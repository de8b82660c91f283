"""Nights in a row by ``laketag nightly``; each morning every image of the index has exactly one current row."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import laketag
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.pages.wording import moment
from tests.end_to_end.command_line import run_laketag
from tests.end_to_end.lakes import put_described
from tests.end_to_end.pictures import encoded, picture
from tests.stores.store import Store, folder_store


def put(store: Store, seeds: dict[int, int]) -> None:
    """The image of each number is drawn with its seed."""
    for number, seed in seeds.items():
        store.put(f"images/{number:02}.png", encoded(picture(seed), "PNG"))


def write_night_file(folder: Path, store: Store, settings: Path) -> Path:
    """A night of one collection; the descriptions are beside its file."""
    file = folder / "night.toml"
    endpoint = store.storage.endpoint_url
    file.write_text(
        f'root = "{store.url("lake")}"\n'
        + settings.read_text()
        + (f'[storage]\nendpoint_url = "{endpoint}"\n' if endpoint else "")
        + f'[[collection]]\nsource = "{store.url("images")}/"\ncollection = "pets"\nset = "s"\n'
        'descriptions = "texts.json"\n'
    )
    return file


def label_tonight(file: Path, store: Store, *options: str) -> dict[str, Any]:
    """The line of ``--json``; each image of the index has exactly one current row afterwards, and the lake verifies."""
    outcome = run_laketag("nightly", str(file), "--json", *options, env=store.env)
    assert outcome.code == 0, outcome.err
    (line,) = outcome.out.splitlines()
    night: dict[str, Any] = json.loads(line)
    root, storage = store.url("lake"), store.storage
    lake = open_lake(root, storage)
    indexed = scan_snapshot(lake, latest_snapshot(lake, "pets")).collect()["uri"].sort()
    rows = laketag.labels(root, storage=storage).collect()
    failed = laketag.failures(root, storage=storage).collect()
    assert sorted([*rows["uri"], *failed["uri"]]) == indexed.to_list()
    assert set(rows["status"]) == {"current"}
    assert verify(lake).faults == []
    assert night["images"] == len(indexed)
    assert night["verified"] is (True if night["runs"] else None)
    assert night["planned"] == night["labelled"] + sum(night["failures"].values())
    return night


def done(night: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(night[name] for name in ("new", "changed", "gone", "embedded", "labelled", "left"))


@pytest.mark.usefixtures("joined_ray")
def test_nights_in_a_row_label_what_is_new_or_changed(described, descriptions, tiny_settings, tmp_path):
    place = folder_store(tmp_path / "place")
    put_described(place, place.url("lake"), described)
    file = write_night_file(tmp_path, place, tiny_settings)
    shutil.copy(descriptions, tmp_path / "texts.json")
    put(place, {number: number for number in range(8)})
    place.put("images/broken.png", b"no image")
    first = label_tonight(file, place, "--report", str(tmp_path / "pages"))
    assert done(first) == (9, 0, 0, 0, 8, 0)
    assert first["failures"] == {"unsupported": 1}
    page = (tmp_path / "pages" / "pets-s.html").read_text()
    assert f"finished {moment(laketag.runs(place.url('lake')).collect()['finished_at'].item())} UTC" in page
    assert '<th scope="row" class="wrong">unsupported</th>' in page
    assert page.count("data:image/webp") == 8 + page.count('<article class="panel story">') > 8

    put(place, {8: 8, 9: 9, 0: 50, 1: 51})
    place.delete("images/02.png")
    assert done(label_tonight(file, place)) == (2, 2, 1, 0, 4, 0)

    place.delete("images/03.png")
    place.delete("images/broken.png")
    only_gone = label_tonight(file, place)
    assert done(only_gone) == (0, 0, 2, 0, 0, 0)
    assert only_gone["runs"] == []
    nights = laketag.nights(place.url("lake")).collect()
    assert nights["labelled"].to_list() == [8, 4, 0]


@pytest.mark.ceph
@pytest.mark.usefixtures("joined_ray")
def test_a_night_after_a_new_description_embeds_it_and_labels_all_and_the_next_one_is_idle(
    ceph, described, descriptions, tiny_settings, tmp_path
):
    put_described(ceph, ceph.url("lake"), described)
    file = write_night_file(tmp_path, ceph, tiny_settings)
    texts = tmp_path / "texts.json"
    shutil.copy(descriptions, texts)
    put(ceph, {number: number for number in range(8)})
    assert done(label_tonight(file, ceph)) == (8, 0, 0, 0, 8, 0)

    texts.write_text(texts.read_text().replace("A dog wags its tail.", "A dog barks."))
    assert done(label_tonight(file, ceph)) == (0, 0, 0, 1, 8, 0)

    idle = label_tonight(file, ceph)
    assert done(idle) == (0, 0, 0, 0, 0, 0)
    assert idle["runs"] == []
    nights = laketag.nights(ceph.url("lake"), storage=ceph.storage).collect()
    assert nights["labelled"].to_list() == [8, 8, 0]
