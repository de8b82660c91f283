"""Google Cloud Storage and Azure through obstore, which finds credentials and endpoints in their own usual variables."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.background import iterate_in_background
from laketag.pipeline.store.locations import Listed, Location
from laketag.pipeline.store.readers import ObstoreReader
from laketag.pipeline.store.s3_clients import LIST, Requests
from laketag.pipeline.store.versions import version_of_etag


def open_bucket(location: Location, storage: StorageSettings, requests: Requests) -> Any:
    """A client for the bucket (of Azure: the container) that any thread or event loop may use."""
    return _open_client(location.scheme, location.bucket, storage.anonymous, requests)


def open_reader(location: Location, storage: StorageSettings, requests: Requests) -> ObstoreReader:
    """A reader of the object."""
    return ObstoreReader(open_bucket(location, storage, requests), location.key)


@lru_cache(maxsize=16)
def open_filesystem(scheme: str, storage: StorageSettings) -> Any:
    """The fsspec filesystem of all buckets of the scheme, for a lake's tables."""
    from laketag.pipeline.store.cloud_filesystem import CloudFileSystem

    filesystem: Any = CloudFileSystem
    return filesystem(scheme, **_client_settings(storage.anonymous, LIST))


def list_objects(folder: Location, storage: StorageSettings) -> Iterator[list[Listed]]:
    """Pages of the objects below the folder, without marks of folders.

    The client cannot list keys with an empty part, ``.``, ``..`` or a control character: one of them ends the listing.
    """
    client = open_bucket(folder, storage, LIST)
    prefix = f"{folder.key}/" if folder.key else ""
    for page in without_folder_marks(iterate_in_background(iter(client.list(folder.key or None)))):
        yield [
            Listed(
                f"{folder.scheme}://{folder.bucket}/{entry['path']}",
                version_of_etag(entry["e_tag"]).etag,
                entry["size"],
                entry["path"].removeprefix(prefix),
            )
            for entry in page
            if entry["path"] != folder.key
        ]


def without_folder_marks(pages: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[list[Mapping[str, Any]]]:
    """Pages of the sorted entries, without the empty ones that others are below.

    Consoles and Hadoop mark folders so; the client shows the mark ``a/`` as ``a``.
    """
    waiting: list[Mapping[str, Any]] = []
    for page in pages:
        kept = []
        for entry in page:
            undecided = []
            for empty in waiting:
                below = f"{empty['path']}/"
                if entry["path"] < below:
                    undecided.append(empty)
                elif not entry["path"].startswith(below):
                    kept.append(empty)
            waiting = undecided
            (kept if entry["size"] else waiting).append(entry)
        yield kept
    yield waiting


def remove_objects(folder: Location, storage: StorageSettings) -> None:
    """No object is below the folder."""
    client = open_bucket(folder, storage, LIST)
    client.delete([entry["path"] for page in client.list(folder.key) for entry in page])


def renew_clients() -> None:
    """Clients are opened anew from now on, with the credentials that are found then."""
    _open_client.cache_clear()
    open_filesystem.cache_clear()


@lru_cache(maxsize=64)
def _open_client(scheme: str, bucket: str, anonymous: bool, requests: Requests) -> Any:
    from obstore.store import AzureStore, GCSStore

    return {"gs": GCSStore, "az": AzureStore}[scheme](bucket, **_client_settings(anonymous, requests))


def _client_settings(anonymous: bool, requests: Requests) -> Any:
    config = {"skip_signature": True} if anonymous else {}
    return {"config": config, **requests.obstore_options(allow_http=True)}  # as the endpoint says
