"""Files of any other scheme that fsspec knows, such as ``sftp://`` and ``hdfs://``."""

import inspect
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import fsspec
from fsspec.generic import GenericFileSystem
from fsspec.implementations.cached import CachingFileSystem

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.background import iterate_in_background
from laketag.pipeline.store.errors import without_secrets
from laketag.pipeline.store.locations import UNREADABLE_FOLDER, LeaveOut, Listed, Location, Pages, Skipped
from laketag.pipeline.store.readers import FsspecReader, version_of_info

WITHIN = {"fo", "fs"}
"""Parameters of filesystems in archives and in other filesystems."""
REDIRECTING = ("webhdfs", "swebhdfs")
ANSWERS = (FileNotFoundError, PermissionError, IsADirectoryError)
"""Errors after which a connection is in order."""
AROUND_OTHERS = (CachingFileSystem, GenericFileSystem)
_free: dict[tuple[str, str], list[Any]] = defaultdict(list)
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@lru_cache(maxsize=64)
def why_not_installed(scheme: str) -> str | None:
    """Why fsspec cannot open URLs of this scheme here; None if it can."""
    if scheme.lower() in REDIRECTING:
        return (
            f"{scheme}:// is not read, because its client follows a server's redirects anywhere; use hdfs://"
        )
    try:
        filesystem = fsspec.get_filesystem_class(scheme)
    except ValueError:
        return f"{scheme}:// is no scheme that laketag or fsspec knows"
    except ImportError as error:
        return f"{scheme}:// needs a package that is not installed ({error})"
    own = inspect.signature(filesystem.__init__).parameters
    if WITHIN & own.keys() or issubclass(filesystem, AROUND_OTHERS):
        return f"{scheme}:// names nothing by itself, only inside of another file or store"
    required = {item.name for item in own.values() if item.default is item.empty and item.kind in NAMED} - {
        "self"
    }
    known = {*filesystem._get_kwargs_from_urls(f"{scheme}://host/path"), *fsspec.config.conf.get(scheme, {})}
    if missing := required - known:
        return f"{scheme}:// needs more than a URL ({', '.join(sorted(missing))}); set it in fsspec's own configuration"
    return None


@contextmanager
def borrow_filesystem(location: Location) -> Iterator[tuple[Any, str]]:
    """The filesystem that holds the file, for this thread alone, and the file's path in it.

    Some, such as that of FTP, have one connection, on which calls of two threads would mix. Those that are free are lent again,
    one for each host: what else a URL names is in its path.
    """
    if reason := why_not_installed(location.scheme):
        raise SettingsError(f"{location.url}: {reason}; install it on every node")
    free = _free[location.scheme, location.bucket]
    try:
        filesystem = free.pop()
    except IndexError:
        filesystem = _open(location.scheme, location.bucket)
    try:
        yield filesystem, filesystem._strip_protocol(location.url)
    except ANSWERS:
        free.append(filesystem)
        raise
    except Exception:
        free.clear()  # the server may have closed all connections
        raise
    free.append(filesystem)


def open_reader(location: Location) -> FsspecReader:
    """A reader of the file."""
    return FsspecReader(lambda: borrow_filesystem(location))


def list_files(folder: Location, leave_out: LeaveOut) -> Pages:
    """A page for each folder; folders that are left out or may not be read are named and not entered."""
    with borrow_filesystem(folder) as (filesystem, top):
        filesystem.invalidate_cache()
        yield from iterate_in_background(_walk(filesystem, top, folder, leave_out))


def _walk(filesystem: Any, top: str, folder: Location, leave_out: LeaveOut) -> Pages:
    """Without fsspec's own walk, which drops the errors of folders below the first."""
    waiting = [(top, "")]
    while waiting:
        path, inside = waiting.pop()
        try:
            entries = filesystem.ls(path, detail=True)
        except (
            PermissionError,
            FileNotFoundError,
            NotADirectoryError,
        ):  # or vanished since its name was read
            if not inside:
                raise
            yield [Skipped(inside, UNREADABLE_FOLDER)]
            continue
        page: list[Listed | Skipped] = []
        for entry in sorted(entries, key=lambda entry: str(entry["name"])):
            name = inside + entry["name"].rstrip("/").rpartition("/")[2]
            if entry["name"].rstrip("/") == path.rstrip("/"):  # some filesystems list the folder itself, too
                continue
            if entry["type"] != "directory":
                url = f"{folder.url.rstrip('/')}/{name}"
                page.append(Listed(url, version_of_info(entry).etag, entry["size"], name))
            elif reason := leave_out(name):
                page.append(Skipped(f"{name}/", reason))
            else:
                waiting.append((entry["name"], f"{name}/"))
        yield page


def _open(scheme: str, host: str) -> Any:
    try:
        return fsspec.url_to_fs(f"{scheme}://{host}/", skip_instance_cache=True)[0]
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{scheme}://{host} cannot be opened by its URL alone ({error})") from error
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:  # a disk's or network's, which may pass
            raise
        raise SettingsError(
            f"{scheme}:// needs a library that is missing ({without_secrets(str(error))}); install it on every node"
        ) from error
