from importlib.metadata import version
from pathlib import Path

import pytest

from laketag.jobs.submission.pinned import pinned_requirements
from laketag.pipeline.errors import SettingsError


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
