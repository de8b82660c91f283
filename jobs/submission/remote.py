"""The entry of a submitted job on the cluster: check what the job needs, then run the command.

Until it has checked, it imports the standard library only: any Python may run it, and none of laketag's packages be there.
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
    "typer", "rich", "tenacity", "jaxtyping", "PIL", "numpy", "safetensors",
)  # fmt: skip
"""What laketag imports, as in pyproject.toml."""
CREDENTIALS_HINT = """\
This ran on the cluster with the cluster's credentials: laketag submit never sends any. Give its nodes an instance role or
service account, or start Ray on every node with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/cluster.md).
"""


def check_python(manifest: Path) -> None:
    """Python here is that of the machine that submitted, to the minor version, or a ClusterError."""
    submitted = json.loads(manifest.read_text())["python"]
    here = platform.python_version()
    if submitted.split(".")[:2] != here.split(".")[:2]:
        raise ClusterError(
            f"the cluster runs Python {here} and the job was submitted from Python {submitted}; "
            "submit from the cluster's image, or give the cluster an image with that Python"
        )


def check_packages() -> None:
    """This Python has every package that laketag imports, or a ClusterError."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ClusterError(
            f"the cluster's Python ({sys.executable}) has no package {', '.join(missing)}, which laketag needs; "
            "give the cluster an image as infra/images makes it, or submit with --pinned"
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
