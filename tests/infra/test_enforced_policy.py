"""data.json on a store that enforces it allows exactly the intended requests, and they are enough for a night."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from laketag.pipeline.errors import StorageError
from tests.end_to_end.command_line import LIMIT_S, command_env, must_run
from tests.end_to_end.pictures import encoded, picture
from tests.infra.manifests import KUBERNETES, read_document
from tests.infra.policies import policy
from tests.models.tiny import save_local_dir
from tests.stores.store import STRANGER, Store, s3_env


@dataclass(frozen=True)
class Granted:
    """Two buckets, and the environment of someone who may do what data.json says and no more."""

    lake: str
    images: str
    env: dict[str, str]


@pytest.fixture
def granted(ceph: Store) -> Iterator[Granted]:
    """The statements of data.json, given to a user of Ceph by bucket policies."""
    endpoint = str(ceph.storage.endpoint_url)
    owner = boto3.client("s3", endpoint_url=endpoint)
    lake = ceph.root.removeprefix("s3://")
    images = f"{lake}-images"
    owner.create_bucket(Bucket=images)
    for bucket, example in ((lake, "example-lake"), (images, "example-images")):
        text = json.dumps([s for s in policy("data")["Statement"] if f":::{example}" in s["Resource"]])
        allowed = json.loads(text.replace(example, bucket))
        for statement in allowed:
            statement["Principal"] = {"AWS": f"arn:aws:iam:::user/{STRANGER.name}"}
            if (
                "s3:DeleteObject" in statement["Action"]
            ):  # Ceph checks a DELETE of many keys on the bucket itself
                statement["Resource"] = [statement["Resource"], f"arn:aws:s3:::{bucket}"]
        document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        owner.put_bucket_policy(Bucket=bucket, Policy=document)
    names = [f"{number}.jpg" for number in range(6)]
    for number, name in enumerate(names):
        owner.put_object(Bucket=images, Key=name, Body=encoded(picture(number)))
    for key in ("laketag/x", "weights/w", "other/x"):
        owner.put_object(Bucket=lake, Key=key, Body=b"x")
    yield Granted(lake, images, s3_env(endpoint, STRANGER))
    for name in names:
        owner.delete_object(Bucket=images, Key=name)
    owner.delete_bucket(Bucket=images)


@pytest.mark.ceph
def test_a_store_that_enforces_the_policy_lets_exactly_this_through(granted: Granted) -> None:
    lake, images = granted.lake, granted.images
    worker = boto3.client(
        "s3",
        endpoint_url=granted.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=STRANGER.access_key,
        aws_secret_access_key=STRANGER.secret_key,
    )

    def may(operation: str, **arguments: object) -> bool:
        try:
            getattr(worker, operation)(**arguments)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                raise
            return False
        return True

    assert may("get_object", Bucket=images, Key="0.jpg")
    assert may("list_objects_v2", Bucket=images, Prefix="a/")
    assert not may("put_object", Bucket=images, Key="0.jpg", Body=b"y")
    assert not may("delete_object", Bucket=images, Key="0.jpg")
    assert may("put_object", Bucket=lake, Key="laketag/staging/p", Body=b"y")
    assert may("copy_object", Bucket=lake, Key="laketag/labels/p", CopySource=f"{lake}/laketag/staging/p")
    assert may("delete_object", Bucket=lake, Key="laketag/staging/p")
    assert may("list_objects_v2", Bucket=lake, Prefix="laketag/runs/")
    assert not may("list_objects_v2", Bucket=lake, Prefix="other/")
    assert may("get_object", Bucket=lake, Key="weights/w")
    assert not may("put_object", Bucket=lake, Key="weights/w", Body=b"y")
    assert not may("get_object", Bucket=lake, Key="other/x")


@pytest.mark.ceph
@pytest.mark.cluster
def test_the_policy_is_enough_for_a_night_and_holds_laketag_to_root(granted: Granted, tmp_path: Path) -> None:
    night = write_night(tmp_path, granted)
    done = night(f"s3://{granted.lake}/laketag")
    assert done.returncode == 0, done.stdout + done.stderr
    root = ("--root", f"s3://{granted.lake}/laketag")
    assert must_run("query", "labels", *root, "--format", "csv", env=granted.env).count(".jpg") == 6
    again = night(f"s3://{granted.lake}/laketag")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "has the same content" in again.stdout
    assert "nothing to do" in again.stdout
    runs = must_run("query", "runs", *root, "--format", "csv", env=granted.env)
    assert len(runs.splitlines()) == 2  # the first night's, under a header

    outside = night(f"s3://{granted.lake}/other")
    assert outside.returncode == StorageError.exit_code, outside.stdout + outside.stderr


def write_night(folder: Path, granted: Granted) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """The pods' command with these buckets, a tiny model and a given root; calling it is one night."""
    model = save_local_dir(folder / "model")
    (folder / "settings.toml").write_text(
        f'[backbone]\npretrained = "local-dir:{model}"\n[attention]\nname = "backbone"\n[method]\ncrops = 2\n'
    )
    job = read_document(KUBERNETES / "rayjob.yaml")["spec"]
    words = shlex.split(job["entrypoint"].replace("/etc/laketag/", f"{folder}/"))
    text = (KUBERNETES / "night.toml").read_text().replace("s3://example-images/", f"s3://{granted.images}/")
    shutil.copyfile(KUBERNETES / "classes.json", folder / "classes.json")
    variables = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def night(root: str) -> "subprocess.CompletedProcess[str]":
        (folder / "night.toml").write_text(text.replace("s3://example-lake/laketag", root))
        return subprocess.run(
            words,
            env=command_env({**granted.env, **variables}),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return night
