"""Images on Google Cloud Storage and Azure."""

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.cloud_objects import open_bucket
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import Requests


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_client_is_opened_once_for_each_bucket(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    location, storage = parse_url(f"{scheme}://bucket/x.jpg"), StorageSettings(anonymous=True)
    assert open_bucket(location, storage, Requests(1.0)) is open_bucket(location, storage, Requests(1.0))
