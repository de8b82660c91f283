"""What fails inside Ray comes out as one sentence."""

import errno
import os
import pickle
from pathlib import Path

import pytest
from ray.data._internal.util import _annotate_exception_with_retry_context
from ray.exceptions import (
    ActorDiedError,
    NodeDiedError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayTaskError,
    WorkerCrashedError,
)

from laketag.pipeline.cluster.ray_errors import is_loss, ray_errors, translate
from laketag.pipeline.cluster.ray_files import ray_folder
from laketag.pipeline.errors import ClusterError, LaketagError, ModelError, StorageError


def from_a_task(cause: Exception) -> BaseException:
    """The error as ``ray.get`` raises it: travelled, and mixed with the class of its cause."""
    error = RayTaskError(
        "label", "Traceback …\nline", pickle.loads(pickle.dumps(cause)), "title", 1, "127.0.0.1"
    )
    return error.as_instanceof_cause()


@pytest.mark.parametrize("kind", [ModelError, StorageError])
def test_a_laketag_error_of_a_task_comes_out_as_itself(tmp_path: Path, kind: type[LaketagError]) -> None:
    log = tmp_path / "ray.log"
    with pytest.raises(kind) as caught, ray_errors(log):
        raise from_a_task(kind("no GPU; get one"))
    assert type(caught.value) is kind
    assert str(caught.value) == "no GPU; get one"
    assert caught.value.exit_code == kind.exit_code
    assert not log.exists()


def test_what_ray_data_appends_to_a_message_is_not_shown(tmp_path: Path) -> None:
    error = StorageError("the disk is full; free space")
    error = _annotate_exception_with_retry_context(
        error, description="apply UDF", attempts=1, max_attempts=1, total_backoff_s=0.0, exception_str=""
    )
    assert str(translate(from_a_task(error), tmp_path / "ray.log")) == "the disk is full; free space"


@pytest.mark.parametrize(
    ("error", "disk"),
    [
        (OutOfDiskError("full"), f"in {ray_folder()}"),
        (ObjectStoreFullError("full"), f"in {ray_folder()}"),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "the disk that is mounted at /"),
    ],
    ids=["spill", "memory", "file"],
)
def test_a_full_disk_is_named_with_what_to_free(tmp_path: Path, error: Exception, disk: str) -> None:
    said = translate(from_a_task(error), tmp_path / "full" / "ray.log")  # which cannot be written either
    assert isinstance(said, StorageError)
    assert disk in str(said)
    assert "free space there" in str(said)


def test_a_file_of_ray_on_a_full_disk_is_a_sentence_and_other_errors_of_files_pass(tmp_path: Path) -> None:
    for number, raised in ((errno.ENOSPC, StorageError), (errno.EIO, OSError)):
        with pytest.raises(raised), ray_errors(tmp_path / "ray.log"):
            raise OSError(number, os.strerror(number))


def test_another_error_is_one_sentence_and_its_trace_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "ray.log"
    said = translate(from_a_task(ValueError("three\nlines\nlong")), log)
    assert type(said) is LaketagError
    assert "ValueError: three;" in str(said)
    assert str(log) in str(said)
    assert "\n" not in str(said)
    assert "RayTaskError(ValueError)" in log.read_text()


def test_a_constructor_that_fails_is_told_by_the_last_line_of_its_trace(tmp_path: Path) -> None:
    task_error = RayTaskError(
        "init", "Traceback …\nRuntimeError: CUDA driver is too old", RuntimeError("…"), "t", 1, "::1"
    )
    error = ActorDiedError(task_error)
    assert not is_loss(error)
    assert "RuntimeError: CUDA driver is too old" in str(translate(error, tmp_path / "ray.log"))


@pytest.mark.parametrize(
    "error", [WorkerCrashedError(), NodeDiedError("gone"), ActorDiedError()], ids=lambda e: type(e).__name__
)
def test_a_lost_process_is_a_loss_that_the_same_command_mends(tmp_path: Path, error: Exception) -> None:
    assert is_loss(error)
    said = translate(error, tmp_path / "ray.log")
    assert isinstance(said, ClusterError)
    assert "run the same command again" in str(said)


def test_a_mistake_in_a_task_is_no_loss() -> None:
    assert not is_loss(from_a_task(ValueError("x")))
    assert not is_loss(from_a_task(ModelError("x")))
