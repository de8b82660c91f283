"""The entry point of a submitted job on the cluster: check Python and its packages, then run the command.

Until the check has passed, it imports the standard library only, so that it also runs in a Python that lacks everything.
"""

import json
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from laketag.pipeline.errors import AccessError, ClusterError
from laketag.pipeline.version import MANIFEST

NEEDED = (
    "ray", "torch", "open_clip", "timm", "pyarrow", "polars", "fsspec", "s3fs", "obstore", "dataframely", "pydantic",
    "typer", "rich", "tenacity", "jaxtyping", "PIL", "numpy", "safetensors", "filelock", "urllib3", "aiohttp",
    "jinja2", "starlette", "uvicorn",
)  # fmt: skip
"""The modules of the packages that pyproject.toml requires."""
CREDENTIALS_HINT = """\
This command ran with the credentials of the cluster: laketag submit never sends any. Give the nodes an instance role or
a service account, or start Ray on every node with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/cluster.md).
"""


def check_python(manifest: Path) -> None:
    """This Python has the minor version of the one that submitted the job, or a ClusterError."""
    submitted = json.loads(manifest.read_text(encoding="utf-8"))["python"]
    here = platform.python_version()
    if submitted.split(".")[:2] != here.split(".")[:2]:
        raise ClusterError(
            f"the cluster runs Python {here} and the job was submitted from Python {submitted}; "
            "submit from the cluster's image, or give the cluster an image with that Python"
        )


def check_packages() -> None:
    """This Python has every package that laketag requires, or a ClusterError."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ClusterError(
            f"the cluster's Python ({sys.executable}) has no package {', '.join(missing)}, which laketag needs; "
            "give the cluster an image of infra/images, or submit with --pinned"
        )


def main() -> None:
    """Run laketag with this process's arguments."""
    try:
        check_python(MANIFEST)
        check_packages()
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    from laketag.jobs.cli import main as run

    try:
        run()
    except SystemExit as ended:
        if isinstance(ended.__cause__, AccessError):
            sys.stderr.write(CREDENTIALS_HINT)
        raise


if __name__ == "__main__":
    main()
