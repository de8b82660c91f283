"""The Dockerfile of infra/images as a list of instructions."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

from tests.infra.manifests import INFRA

FILE = INFRA / "images/Dockerfile"


def read_steps() -> list[dict[str, Any]]:
    """Its instructions, in their order."""
    with tempfile.TemporaryDirectory() as folder:  # the parser opens what it reads for writing too
        copy = Path(folder) / "Dockerfile"
        shutil.copy(FILE, copy)
        parsed = DockerfileParser(str(copy)).structure
    return [step for step in parsed if step["instruction"] != "COMMENT"]


def of(steps: list[dict[str, Any]], instruction: str) -> list[str]:
    """What the instructions of one kind say."""
    return [step["value"] for step in steps if step["instruction"] == instruction]
