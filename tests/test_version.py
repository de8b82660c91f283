"""The version is that of the installed package; tests/jobs/submission shows that of a submitted one."""

from importlib.metadata import version

from laketag.pipeline.version import MANIFEST, laketag_version


def test_an_installed_laketag_names_its_own_version() -> None:
    assert not MANIFEST.exists()
    assert laketag_version() == version("laketag")
