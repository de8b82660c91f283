"""The packages of this machine, for clusters whose image has none of laketag's."""

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from laketag.pipeline.errors import SettingsError


def pinned_requirements(package: str = "laketag") -> list[str]:
    """What the package needs, in the versions installed here: name==version for each, its own needs included.

    Ray installs them once on each node, and has itself already. Builds such as +cpu are this machine's own choice.
    """
    pins: dict[str, str] = {}
    waiting, seen = [(package, "")], set()
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        for needed in _needs(*wanted):
            name = canonicalize_name(needed.name)
            try:
                pins[name] = version(name).partition("+")[0]
            except PackageNotFoundError:
                continue  # a need that another package's marker made optional
            waiting += [(name, extra) for extra in ("", *needed.extras)]
    return sorted(f"{name}=={pinned}" for name, pinned in pins.items() if name != "ray")


def _needs(name: str, extra: str) -> list[Requirement]:
    """What a package with this extra needs on a machine like this one."""
    try:
        lines = requires(name) or ()
    except PackageNotFoundError:
        raise SettingsError(
            f"--pinned sends the versions that {name} is installed with, and it is not installed here; "
            "install it (pip install -e .), or leave --pinned out and give the cluster an image of infra/images"
        ) from None
    needs = [Requirement(line) for line in lines]
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
