"""``laketag settings``: a file to start from."""

import re
from pathlib import Path

from laketag.jobs.settings import as_toml
from laketag.pipeline.config import Settings
from laketag.pipeline.settings_file import read_settings


def test_what_is_printed_is_a_file_of_the_same_settings(tmp_path: Path) -> None:
    overrides = ['storage.profile=a "quoted" \\ name', "method.crops=8", "fetch.allowed_roots=s3://b/ä"]
    for settings in (Settings(), read_settings(None, overrides)):
        file = tmp_path / "settings.toml"
        file.write_text(as_toml(settings), encoding="utf-8")
        assert read_settings(file) == settings


def test_every_setting_is_printed_with_its_meaning() -> None:
    text = as_toml(Settings())
    for table, field in Settings.model_fields.items():
        assert f"[{table}]\n" in text
        for key, item in type(field.default).model_fields.items():
            assert item.description
            assert re.search(rf"^(# )?{key} =.* # {re.escape(item.description)}$", text, re.MULTILINE)
