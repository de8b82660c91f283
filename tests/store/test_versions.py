"""One form for an object's version, however a store writes its ETag."""

import pytest

from laketag.pipeline.store.versions import ChangedError, Version, version_of_etag

MD5 = "9e107d9d372bb6826bd81d3542a419d6"


@pytest.mark.parametrize("etag", [f'"{MD5}"', MD5, f'W/"{MD5}"'])
def test_quotes_and_weak_marks_are_no_part_of_a_version(etag: str) -> None:
    assert version_of_etag(etag).etag == MD5


@pytest.mark.parametrize("etag", [None, "", '""'])
def test_no_etag_is_an_unknown_version(etag: str | None) -> None:
    assert not version_of_etag(etag).is_known


def test_another_version_is_refused_and_an_unknown_one_is_not() -> None:
    version, unknown = Version(MD5), version_of_etag(None)
    version.check(Version(MD5))
    version.check(unknown)
    unknown.check(version)
    with pytest.raises(ChangedError):
        version.check(Version("0"))
