"""Reading the settings: one file, overrides, and every mistake named at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.night_file import NightFile
from laketag.pipeline.settings_file import read_settings, read_settings_as
from tests.end_to_end.command_line import PROJECT


def refused(*overrides: str, file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings(file, overrides)
    return str(error.value)


def write(folder: Path, text: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def test_an_override_goes_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = write(tmp_path, "[method]\ncrops = 9\nseed = 3\n[run]\nactors = 2\n")
    settings = read_settings(
        file, ["method.crops=12", "backbone.pretrained=local-dir:/m", 'method.name="clip"']
    )
    assert (settings.method.crops, settings.method.seed, settings.run.actors) == (12, 3, 2)
    assert (settings.backbone.pretrained, settings.method.name) == ("local-dir:/m", "clip")


def test_an_empty_override_is_the_default_again(tmp_path: Path) -> None:
    file = write(tmp_path, "[method]\ncrops = 9\nfeature_block = 3\n")
    settings = read_settings(file, ["method.feature_block=", "method.crops="])
    assert (settings.method.feature_block, settings.method.crops) == (None, 50)
    assert "method.crop: no such setting" in refused("method.crop=")


def test_a_list_is_not_called_too_short_because_its_only_entry_is_wrong(tmp_path: Path) -> None:
    file = write(tmp_path, "[[collection]]\nsource = 'a'\ncollection = 'b'\nset = 'c'\nstrict = 3\n")
    with pytest.raises(SettingsError, match=r"^1 wrong setting.*\n  collection.1.strict = 3: [^\n]*$"):
        read_settings_as(NightFile, [file])
    with pytest.raises(SettingsError, match=r"^1 wrong setting.*\n  collection = .*at least 1 item"):
        read_settings_as(NightFile, [write(tmp_path, "collection = []\n")])


def test_every_mistake_is_named_at_once_with_its_value_and_its_rule(tmp_path: Path) -> None:
    file = write(tmp_path, "[method]\ncrop = 9\n[runs]\nactors = 2\n")
    said = refused("run.actors=0", "crops=3", "method.name=wca", file=file)
    assert "5 wrong setting(s)" in said
    assert "method.crop: no such setting; did you mean crops? known here: name, raw_crops" in said
    assert "runs: no such setting; did you mean run? known here: backbone, attention" in said
    assert "run.actors = 0: input should be greater than or equal to 1" in said
    assert "'crops=3': write table.key=value" in said
    assert "method.name = 'wca': input should be 'abs' or 'clip'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[method\n", "is not TOML"),
        ("method = 3\n", "method"),
        ("[method]\ncrops = 1\ncrops = 2\n", "is not TOML"),
    ],
)
def test_a_file_that_is_no_settings_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(file=write(tmp_path, text))


def test_a_file_is_utf8_with_or_without_a_byte_order_mark_whatever_the_locale(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes("\ufeff# für die Nacht\n[method]\ncrops = 9\n".encode())
    assert read_settings(file).method.crops == 9
    code = f"from laketag.pipeline.settings_file import read_settings; print(read_settings({str(file)!r}).method.crops)"
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=ascii_locale, capture_output=True, text=True, check=True
    )
    assert done.stdout == "9\n"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[method]\n# für\n".encode("latin-1"), "the byte 0xfc at line 2, column 4"),
        ("\ufeff# ä\n# ö ".encode() + b"\xff\n", "the byte 0xff at line 2, column 5"),
        ("[method]\n".encode("utf-16"), "the byte 0xff at line 1, column 1"),
    ],
    ids=["latin-1", "behind a byte order mark", "utf-16"],
)
def test_a_file_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path, written: bytes, said: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(written)
    assert f"{file} is not UTF-8: {said}; save it as UTF-8" in refused(file=file)


def test_an_override_within_a_table_that_is_a_value_is_refused(tmp_path: Path) -> None:
    assert "method: is a table of settings" in refused("method.crops=3", file=write(tmp_path, "method = 3\n"))


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(file=tmp_path / "no.toml")
    assert "cannot be read" in refused(file=tmp_path)


@given(st.text(max_size=40))
def test_an_override_is_taken_or_refused_by_name(text: str) -> None:
    assume(not any(text.strip().startswith(f"{table}.") for table in Settings.model_fields))
    said = refused(text)
    assert repr(text) in said or f"{text.partition('.')[0].strip()}: no such setting" in said
