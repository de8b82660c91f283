"""The Dockerfile of infra/images as a list of instructions."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

from tests.infra.manifests import INFRA

FILE = INFRA / "images/Dockerfile"


def read_steps() -> list[dict[str, Any]]:
    """The instructions in their order, without comments."""
    with tempfile.TemporaryDirectory() as folder:  # the parser also opens the file for writing
        copy = Path(folder) / "Dockerfile"
        shutil.copy(FILE, copy)
        parsed = DockerfileParser(str(copy)).structure
    return [step for step in parsed if step["instruction"] != "COMMENT"]


def of(steps: list[dict[str, Any]], instruction: str) -> list[str]:
    """The values of all instructions of one kind."""
    return [step["value"] for step in steps if step["instruction"] == instruction]
