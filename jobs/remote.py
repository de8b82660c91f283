"""The entry of a submitted job on the cluster: check what the job needs, then run the command."""

import json
import platform
import sys
from pathlib import Path

from jobs.shipment import MANIFEST_NAME
from pipeline.errors import ClusterError, StorageError

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


def main() -> None:
    """Run laketag with this process's arguments."""
    try:
        check_python(Path(MANIFEST_NAME))
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    from jobs.cli import main as run

    try:
        run()
    except SystemExit as ended:
        if ended.code == StorageError.exit_code:
            sys.stderr.write(CREDENTIALS_HINT)
        raise


if __name__ == "__main__":
    main()
