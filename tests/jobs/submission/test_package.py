from pathlib import Path

import pytest

from laketag.jobs.submission.package import SETTINGS_NAME, build_working_directory
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
