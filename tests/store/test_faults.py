"""Which answers are a fault of the store or of the access to it, and not of one object."""

import errno
import os
import re
from typing import Any, get_args

import pytest
from botocore.exceptions import CredentialRetrievalError
from obstore.exceptions import UnauthenticatedError
from obstore.store import S3Store

from laketag.pipeline.store.errors import find_fault
from laketag.pipeline.store.faults import FaultName, StoreFault, fault_of_answer
from laketag.pipeline.store.locations import parse_url


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        ("ExpiredToken", 400, "credentials"),
        ("TokenRefreshRequired", 400, "credentials"),
        ("RequestTimeTooSkewed", 403, "clock"),
        ("SignatureDoesNotMatch", 403, "key"),
        ("InvalidClientTokenId", 403, "key"),
        ("AuthenticationFailed", 403, "credentials"),  # Azure, of a signature in a URL that has expired
        ("AccountProblem", 403, "account"),
        ("UserSuspended", 403, "account"),  # Ceph
        ("IllegalLocationConstraintException", 400, "region"),
        ("400", 400, "credentials"),  # to HEAD
        (None, 401, "denied"),
        ("AccessDenied", 403, "denied"),
        ("NoSuchBucket", 404, "bucket"),
        ("SlowDown", 503, "away"),
        (None, 429, "away"),
        ("NoSuchKey", 404, None),
        ("InvalidRange", 416, None),
        ("NotImplemented", 501, None),
        ("PreconditionFailed", 412, None),
    ],
)
def test_an_answer_tells_its_fault(code: str | None, status: int, name: str | None) -> None:
    fault = fault_of_answer(code, status)
    assert (fault and fault.name) == name


@pytest.mark.parametrize("name", get_args(FaultName))
def test_advice_names_settings_of_s3_and_its_variables_for_s3_alone(name: FaultName) -> None:
    for url in ("gs://b/k", "az://b/k", "hf://b/k", "https://host/k", "/disk/k"):
        assert not re.search("AWS|storage|source", StoreFault(name).advise(parse_url(url).scheme))
    advice = StoreFault(name).advise("s3")
    assert ("storage." in advice) == ("source." in advice) == (name in ("region", "away"))
    assert "mounted" in StoreFault("away").advise(parse_url("/disk/k").scheme)


def test_a_program_that_gives_no_credentials_now_is_told_from_a_denied_object() -> None:
    failed = CredentialRetrievalError(provider="custom-process", error_msg="the login has ended")

    def provide() -> Any:
        raise failed

    assert find_fault(failed) == StoreFault("credentials")
    client = S3Store("b", config={"aws_region": "us-east-1"}, credential_provider=provide)
    with pytest.raises(UnauthenticatedError) as raised:
        client.get("x")
    assert find_fault(raised.value) == StoreFault("credentials")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.ESTALE, "away"),
        (errno.ENOTCONN, "away"),
        (errno.EACCES, None),
        (errno.ENOENT, None),
        (errno.EIO, None),
    ],
)
def test_a_disk_whose_server_is_away_is_told_from_a_file_that_fails(number: int, name: str | None) -> None:
    fault = find_fault(OSError(number, os.strerror(number)))
    assert (fault and fault.name) == name
