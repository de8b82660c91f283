"""What a job brings along, and what stays here."""

from importlib.metadata import version
from pathlib import Path

import pytest

from laketag.jobs.submission.package import SETTINGS_NAME, build_working_directory, pinned_requirements
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings


def test_the_working_directory_holds_code_and_the_demos_data_and_nothing_else(tmp_path: Path) -> None:
    build_working_directory(tmp_path, None)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        f"laketag/{file}" for file in ("__init__.py", "jobs/submission/remote.py", "pipeline/images/fetch.py")
    } <= files
    assert {file for file in files if not file.endswith(".py")} == {
        "laketag/submitted.json",
        "laketag/demo/descriptions.json",
        "laketag/demo/descriptors.json",
        "laketag/demo/paper.toml",
        "laketag/demo/settings.toml",
        "laketag/demo/model/open_clip_config.json",
        "laketag/demo/model/open_clip_model.safetensors",
    }
    assert not [file for file in files if "/." in file or "training" in file]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[storage]\nprofile = "ä \\"quoted\\" \\\\ name\\n"\nanonymous = false\n[method]\ncrops = 8\n',
        "[method]\nsampling_temperature = 1e-5\nfeature_block = 11\n[fetch]\nallowed_roots = ['s3://a', '/b']\n",
    ],
)
def test_settings_arrive_as_they_were_set_and_comments_stay(tmp_path: Path, text: str) -> None:
    here = tmp_path / "here.toml"
    here.write_text(f"# the password is hunter2\n{text}")
    settings = read_settings(here, ["method.seed=7"])
    build_working_directory(tmp_path / "job", settings)
    there = read_settings(tmp_path / "job" / SETTINGS_NAME)
    assert there == settings
    assert there.model_fields_set == settings.model_fields_set
    assert there.method.model_fields_set == settings.method.model_fields_set
    assert "hunter2" not in (tmp_path / "job" / SETTINGS_NAME).read_text()


def test_what_is_pinned_is_what_is_installed_and_what_it_needs_in_turn() -> None:
    pins = dict(line.split("==") for line in pinned_requirements())
    assert {"polars", "obstore", "typer", "s3fs"} <= pins.keys()
    assert "botocore" in pins  # needed by aiobotocore, which s3fs needs
    assert {"pandas", "aiohttp"} <= pins.keys()  # needed by ray[data] and ray[default]
    assert "ray" not in pins  # the cluster's own, or nothing would connect
    assert "pytest" not in pins
    assert all(version(name).partition("+")[0] == pinned for name, pinned in pins.items())


def test_builds_are_this_machines_own_and_extras_bring_their_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number, needs in (
        ("made-up", "1.0", ["made-up-tool[fast] >=1"]),
        ("made-up-tool", "2.1.0+cpu", ["made-up-engine; extra == 'fast'", "made-up-test; extra == 'test'"]),
        ("made-up-engine", "3.0", ["made-up-tool", "made-up-nowhere"]),
        ("made-up-test", "4.0", []),
    ):
        folder = tmp_path / f"{name.replace('-', '_')}-{number}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}"]
        (folder / "METADATA").write_text(
            "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""])
        )
    monkeypatch.syspath_prepend(tmp_path)
    assert pinned_requirements("made-up") == ["made-up-engine==3.0", "made-up-tool==2.1.0"]


def test_a_checkout_that_is_not_installed_has_nothing_to_pin() -> None:
    with pytest.raises(SettingsError, match=r"not installed here; install it .* or leave --pinned out"):
        pinned_requirements("laketag-from-a-checkout")
