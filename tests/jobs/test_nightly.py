"""``laketag nightly`` where no image is labelled; tests/end_to_end/test_nights.py has whole nights."""

import json
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

import laketag
from laketag.jobs.nightly import Shown
from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import ExitCode, SettingsError, StorageError
from laketag.pipeline.flows.night_file import read_night
from laketag.pipeline.flows.night_report import CollectionNight
from laketag.pipeline.flows.nightly import NightRequest, run_night
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.staging import run_suffix
from laketag.pipeline.screen import Screen
from tests.end_to_end.command_line import run_laketag
from tests.end_to_end.pictures import encoded, picture
from tests.lakes.test_earlier_lakes import HERE, MODEL


def write_night(folder: Path, *sources: str) -> str:
    """The file of a night with a collection for each source, which has no descriptions."""
    blocks = [
        f'[[collection]]\nsource = "{source}"\ncollection = "{source}"\nset = "s"\n' for source in sources
    ]
    file = folder / "night.toml"
    file.write_text('root = "lake"\n' + "".join(blocks))
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(encoded(picture(1), "PNG"))
    return str(file)


def test_a_collection_that_fails_does_not_stop_the_others_and_the_worst_code_is_that_of_the_night(
    tmp_path: Path,
) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "absent", "images"), "--json")
    assert outcome.code == ExitCode.INPUT
    absent, images = (json.loads(line) for line in outcome.out.splitlines())
    assert "absent" in absent["error"]
    assert absent["images"] is None
    assert (images["images"], images["new"]) == (1, 1)
    assert "no description set 's'" in images["error"]
    nights = laketag.nights(str(tmp_path / "lake")).collect()
    assert nights["exit_code"].to_list() == [2, 2]
    assert nights["images"].to_list() == [None, 1]


def test_a_night_whose_time_is_over_ends_with_0_and_says_what_is_left(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "images"), "--max-hours", "1e-9", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["is_over"]
    assert "the time is over; it is left for the next night" in outcome.err
    assert laketag.nights(str(tmp_path / "lake"), collection="images").collect()["images"].to_list() == [None]


def test_a_dry_run_of_the_first_night_counts_images_and_writes_nothing(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "images"), "--dry-run")
    assert outcome.code == 0
    assert "1 images in the source: 1 new, 0 changed, 0 gone" in outcome.out
    assert "would be labelled: 1 images, no run with this method has measured" in outcome.out
    assert not (tmp_path / "lake").exists()


def test_a_file_that_is_wrong_is_a_line_of_json_too(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", str(tmp_path / "none.toml"), "--json")
    assert outcome.code == ExitCode.INPUT
    assert "cannot be read" in json.loads(outcome.out)["error"]
    with pytest.raises(SettingsError, match="--wait -1"):
        laketag.nightly(write_night(tmp_path, "images"), wait=-1)


def test_a_collection_with_two_sets_is_indexed_once(tmp_path: Path) -> None:
    file = Path(write_night(tmp_path, "images"))
    text = file.read_text()
    file.write_text(text + text.partition("\n")[2].replace('set = "s"', 'set = "t"'))
    outcome = run_laketag("nightly", str(file), "--json")
    assert [json.loads(line)["images"] for line in outcome.out.splitlines()] == [1, 1]
    assert outcome.err.count("reading ") == 1
    assert len(list((tmp_path / "lake" / "index" / "collection=images").iterdir())) == 1


def test_a_night_whose_images_another_process_labels_ends_with_5(tmp_path: Path) -> None:
    shutil.copytree(HERE / "lake", tmp_path / "lake")
    night = write_night(tmp_path, "images")
    text = Path(night).read_text().replace('set = "s"', 'set = "drawings"')
    root, _, collections = text.partition("\n")
    settings = (HERE / "settings.toml").read_text().replace("/tmp/laketag-0.1.0/model", str(MODEL))
    Path(night).write_text(f"{root}\n{settings}\n{collections}")
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    classifier = choose_classifier(read_night(night).settings, latest_embedded_set(lake, "drawings"))
    name = "images" + run_suffix("images", classifier.fingerprint)
    with hold_lease(lake, name, times=LeaseTimes(heartbeat_s=0.2)):
        outcome = run_laketag("nightly", night, "--wait", "0", "--json")
    assert outcome.code == json.loads(outcome.out)["exit_code"] == ExitCode.BUSY
    assert laketag.nights(lake.root).collect()["exit_code"].to_list() == [ExitCode.BUSY]


def test_a_lake_that_cannot_be_written_does_not_hide_the_signal_that_ends_the_night(tmp_path: Path) -> None:
    read = read_night(write_night(tmp_path, "absent"))
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "nights").write_text("no folder")
    request = NightRequest(collections=read.collection, settings=read.settings)
    screen = Screen(Console(quiet=True))

    def stop(given: object) -> None:
        if isinstance(given, CollectionNight):
            raise KeyboardInterrupt(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        run_night(lake, request, screen, stop)
    with pytest.raises(StorageError):
        run_night(lake, request, screen, print)


def test_a_collection_that_a_signal_has_ended_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    night = CollectionNight(collection="photos", description_set="s", started_at=datetime.now(UTC))
    night.failed_by = KeyboardInterrupt(signal.SIGTERM)
    Shown("lake", Screen(Console()), as_json=False)(night)
    assert "collection photos: stopped by SIGTERM" in capsys.readouterr().out
