"""A store for a lake, with one interface for tests, whatever kind of store it is."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.schemes import open_filesystem
from tests.stores.ceph_gateway import User

OWNER = User("owner", "laketag-owner-key", "laketag-owner-secret-0123456789")
STRANGER = User("stranger", "laketag-stranger-key", "laketag-stranger-secret-0123456789")
"""Known to Ceph, but may read nothing of the owner's."""

REGION = "us-east-1"
NO_FILES = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


@dataclass(frozen=True)
class Store:
    """``root`` is empty at first; ``storage`` leads to it, and so does ``env``, also from another process."""

    name: str
    root: str
    storage: StorageSettings = field(default_factory=StorageSettings)
    env: Mapping[str, str] = field(default_factory=dict)

    def url(self, key: str) -> str:
        """The URL of a key below the root."""
        return f"{self.root}/{key}"

    @property
    def options(self) -> tuple[str, ...]:
        """Words for a command whose Ray was started with the owner's credentials and no endpoint."""
        url = self.storage.endpoint_url
        return ("-o", f"storage.endpoint_url={url}") if url else ()

    def put(self, key: str, data: bytes) -> str:
        """The object or file has this content; returns its URL."""
        filesystem, path = open_filesystem(self.url(key), self.storage)
        if self.name == "folder":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        filesystem.pipe_file(path, data)
        return self.url(key)

    def get(self, key: str) -> bytes:
        """The bytes under the key."""
        filesystem, path = open_filesystem(self.url(key), self.storage)
        return bytes(filesystem.cat_file(path))

    def list(self, prefix: str) -> list[str]:
        """The keys that begin so, with the bucket before them; of an object store."""
        filesystem, path = open_filesystem(self.root, self.storage)
        listed = filesystem.call_s3  # by the store's own call: s3fs remembers listings
        pages, token = [], {}
        while True:
            page = listed("list_objects_v2", Bucket=path, Prefix=prefix, **token)
            pages += [f"{path}/{entry['Key']}" for entry in page.get("Contents", [])]
            if "NextContinuationToken" not in page:
                return pages
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """The object or file does not exist any more."""
        filesystem, path = open_filesystem(self.url(key), self.storage)
        filesystem.rm_file(path)

    def through(self, endpoint_url: str) -> "Store":
        """The same store behind another endpoint, such as a proxy's."""
        env = {**self.env, "AWS_ENDPOINT_URL": endpoint_url, "AWS_ENDPOINT_URL_S3": endpoint_url}
        return replace(self, storage=self.storage.model_copy(update={"endpoint_url": endpoint_url}), env=env)


def folder_store(folder: Path) -> Store:
    """A store in a local folder."""
    return Store("folder", str(folder))


def s3_env(endpoint_url: str, user: User = OWNER) -> dict[str, str]:
    """The usual AWS variables for an endpoint and a user."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        **credentials_env(user),
    }


def credentials_env(user: User = OWNER) -> dict[str, str]:
    """The usual AWS variables for a user, without an endpoint."""
    return {
        "AWS_ACCESS_KEY_ID": user.access_key,
        "AWS_SECRET_ACCESS_KEY": user.secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **NO_FILES,
    }


def new_bucket(name: str, endpoint_url: str) -> Store:
    """A store in a new bucket; the environment must already hold the owner's credentials."""
    storage = StorageSettings(endpoint_url=endpoint_url, region=REGION, max_outage_s=0.0)
    bucket = f"s3://t-{uuid.uuid4().hex[:12]}"
    filesystem, path = open_filesystem(bucket, storage)
    filesystem.mkdir(path)
    return Store(name, bucket, storage, s3_env(endpoint_url))


def remove_bucket(store: Store) -> None:
    """The bucket and all in it are gone; by the store's own calls, as s3fs takes some keys for folders or patterns."""
    filesystem, bucket = open_filesystem(store.root, store.storage)
    while found := filesystem.call_s3("list_objects_v2", Bucket=bucket).get("Contents"):
        keys = [{"Key": entry["Key"]} for entry in found]
        filesystem.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    filesystem.call_s3("delete_bucket", Bucket=bucket)
