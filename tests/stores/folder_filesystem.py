"""A scheme of its own over this machine's folders, as others install them into fsspec: ``folder:///absolute/path``."""

import threading
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class FolderFileSystem(LocalFileSystem):
    """Names files as remote filesystems do, and refuses folders named ``locked``; what is in ``hang`` never comes."""

    protocol = "folder"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(LocalFileSystem._strip_protocol(str(path).removeprefix("folder://")))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        if "/hang/" in str(getattr(path, "path", path)):
            threading.Event().wait()
        return dict(super().info(path, **options))

    def ls(self, path: str, detail: bool = False, **options: Any) -> list[Any]:
        if path.rstrip("/").endswith("/locked"):
            raise PermissionError(path)
        return list(super().ls(path, detail=detail, **options))


def register() -> None:
    """This process knows ``folder://``."""
    fsspec.register_implementation("folder", FolderFileSystem, clobber=True)
