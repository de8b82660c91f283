"""Signed URLs are read without credentials."""

import urllib.request
from datetime import timedelta

import pytest

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.signed_urls import sign_url
from tests.stores.store import Store

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("key", ["a b/ä.png", "a//b+c.png"])
def test_anybody_reads_the_object_with_its_signed_url(moto: Store, key: str) -> None:
    url = moto.put(key, b"content")
    signed = sign_url(url, moto.storage, HOUR)
    assert "X-Amz-Expires=3600" in signed
    with urllib.request.urlopen(signed) as answer:
        assert answer.read() == b"content"


def test_paths_and_urls_of_servers_stay_as_they_are(moto: Store) -> None:
    for url in ("/images/a.png", "https://example.org/a.png"):
        assert sign_url(url, moto.storage, HOUR) == url


def test_nothing_is_signed_without_credentials(moto: Store) -> None:
    with pytest.raises(SettingsError, match="nothing can be signed without credentials"):
        sign_url("s3://bucket/key", moto.storage.model_copy(update={"anonymous": True}), HOUR)
