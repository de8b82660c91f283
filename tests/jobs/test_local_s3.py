"""The demo's S3 server."""

import os
from pathlib import Path
from unittest.mock import patch

from rich.console import Console

from laketag.jobs.local_s3 import serve_bucket, upload_folder
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.folders import list_files


def test_a_folder_is_copied_to_a_bucket_that_aws_variables_reach(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "one.jpg").write_bytes(b"1")
    with patch.dict(os.environ, AWS_PROFILE="mine"), serve_bucket("photos", Console(quiet=True)) as bucket:
        upload_folder(tmp_path, f"{bucket}/images")
        assert list_files(bucket, StorageSettings(), suffix="") == ["s3://photos/images/cats/one.jpg"]
        assert "AWS_PROFILE" not in os.environ
