"""Which laketag this is."""

from importlib.metadata import PackageNotFoundError, version


def laketag_version() -> str:
    """The installed version of laketag, or 0+source where it is run without being installed."""
    try:
        return version("laketag")
    except PackageNotFoundError:
        return "0+source"
