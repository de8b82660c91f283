import hashlib
import platform
from pathlib import Path

import pytest

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.hashed_file import ExpectedSha256, expected_sha256, sha256_of

FOUND, OTHER = "f" * 64, "0" * 64


@pytest.mark.parametrize(
    ("by_driver", "words"),
    [
        (False, "as backbone.sha256 requires; get the right file, or correct backbone.sha256"),
        (True, "as the driver of the run found; each node must see the same file"),
    ],
)
def test_a_wrong_checksum_is_refused_with_its_source_and_the_node(by_driver: bool, words: str) -> None:
    expected = ExpectedSha256(OTHER, "backbone.sha256", by_driver)
    expected.check(OTHER, "m.safetensors")
    found = f"weights m.safetensors have sha256 {FOUND} on {platform.node()}, not {OTHER} {words}"
    with pytest.raises(ModelError, match=found):
        expected.check(FOUND, "m.safetensors")


def test_a_setting_goes_before_what_the_driver_found() -> None:
    assert expected_sha256("backbone.sha256", None, None) is None
    assert expected_sha256("backbone.sha256", FOUND, OTHER) == ExpectedSha256(FOUND, "backbone.sha256", False)
    assert expected_sha256("backbone.sha256", None, OTHER) == ExpectedSha256(OTHER, "backbone.sha256", True)


def test_the_sha256_is_that_of_the_whole_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000
    (tmp_path / "weights").write_bytes(content)
    assert sha256_of(tmp_path / "weights") == hashlib.sha256(content).hexdigest()
