"""What a process of a test does that copies a checkpoint: in a module that is quick to import."""

import multiprocessing
import os

from pipeline.config import StorageSettings
from pipeline.models.weights import local_copy


def copy_from_s3(
    env: dict[str, str], url: str, storage: StorageSettings, answers: "multiprocessing.Queue[str]"
) -> None:
    """Put the path of the local copy on the queue."""
    os.environ.update(env)
    answers.put(str(local_copy(url, None, storage).path))
