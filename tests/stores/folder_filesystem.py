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


AT_ONCE = 4


class OneConnection(LocalFileSystem):
    """Reads AT_ONCE files at the same time, each on another instance, and remembers listings, as fsspec's of FTP does."""

    protocol = "single"
    together = threading.Barrier(AT_ONCE)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.in_use = threading.Lock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(LocalFileSystem._strip_protocol(str(path).removeprefix("single://")))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        if path not in self.dircache:
            self.dircache[path] = [super().info(path, **options)]
        return dict(self.dircache[path][0])

    def invalidate_cache(self, path: str | None = None) -> None:  # noqa: ARG002
        self.dircache.clear()

    def cat_file(self, path: str, **options: Any) -> bytes:
        if not self.in_use.acquire(blocking=False):
            raise RuntimeError("two threads on one connection")
        self.together.wait(30)
        try:
            return bytes(super().cat_file(path, **options))
        finally:
            self.in_use.release()


def register(filesystem: type[LocalFileSystem] = FolderFileSystem) -> None:
    """This process knows ``folder://``, or the scheme of another filesystem."""
    fsspec.register_implementation(str(filesystem.protocol), filesystem, clobber=True)
