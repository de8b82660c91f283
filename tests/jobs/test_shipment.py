from importlib.metadata import version

from jobs.shipment import build_working_directory, pinned_requirements


def test_what_is_pinned_is_what_is_installed_and_what_it_needs_in_turn() -> None:
    pins = dict(line.split("==") for line in pinned_requirements())
    assert {"polars", "obstore", "typer", "s3fs"} <= pins.keys()
    assert "botocore" in pins  # needed by aiobotocore, which s3fs needs
    assert "ray" not in pins  # the cluster's own, or nothing would connect
    assert "pytest" not in pins
    assert all(version(name) == pinned for name, pinned in pins.items())


def test_the_working_directory_holds_code_and_settings_and_no_caches(tmp_path) -> None:
    build_working_directory(tmp_path, None)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert ".py" in suffixes
    assert ".pyc" not in suffixes
    assert (tmp_path / "jobs" / "remote.py").is_file()
