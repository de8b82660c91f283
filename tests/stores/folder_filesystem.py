"""A scheme of its own over this machine's folders, as others install them into fsspec: ``folder:///absolute/path``."""

from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class FolderFileSystem(LocalFileSystem):
    """Names files as remote filesystems do, and refuses folders named ``locked``."""

    protocol = "folder"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(LocalFileSystem._strip_protocol(str(path).removeprefix("folder://")))

    def ls(self, path: str, detail: bool = False, **options: Any) -> list[Any]:
        if path.rstrip("/").endswith("/locked"):
            raise PermissionError(path)
        return list(super().ls(path, detail=detail, **options))


def register() -> None:
    """This process knows ``folder://``."""
    fsspec.register_implementation("folder", FolderFileSystem, clobber=True)
