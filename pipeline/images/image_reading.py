"""How the images of a batch are read."""

from dataclasses import dataclass, field

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.byte_limits import ByteBudget
from laketag.pipeline.store.s3_clients import Requests


@dataclass(frozen=True)
class ImageReading:
    """The limits of each read, how the store is reached, and what the batch may still hold in memory."""

    settings: FetchSettings
    storage: StorageSettings
    budget: ByteBudget = field(default_factory=ByteBudget)

    @property
    def requests(self) -> Requests:
        """Each request once, within the deadline; retries are up to read_with_retries."""
        return Requests(self.settings.deadline_s)
