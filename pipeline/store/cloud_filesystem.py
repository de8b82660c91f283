"""obstore's fsspec filesystem, which can also create an object only if it is absent."""

from typing import Any

from obstore.exceptions import AlreadyExistsError
from obstore.fsspec import FsspecStore


class CloudFileSystem(FsspecStore):
    """Objects of one scheme; paths are ``bucket/key``."""

    cachable = False

    async def _pipe_file(self, path: str, value: Any, mode: str = "overwrite", **_: Any) -> None:
        """The object has this content; with ``mode="create"`` a FileExistsError if there was one, by one request."""
        bucket, key = self._split_path(path)
        try:
            await self._construct_store(bucket).put_async(
                key, value, mode="create" if mode == "create" else "overwrite", use_multipart=False
            )
        except AlreadyExistsError:
            raise FileExistsError(path) from None
