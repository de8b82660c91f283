"""When a labelling run stops itself."""

from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.progress.progress import Progress
from laketag.schemas import LABELLED


def stop_if_hopeless(progress: Progress, settings: RunSettings) -> None:
    """Raises StoppedError if so many of the images done failed for one reason that the rest will fail too."""
    for reason, images in progress.outcomes.items():
        if reason == LABELLED or images < settings.failed_images_before_stop:
            continue
        if images > settings.max_failed_fraction * progress.done:
            raise StoppedError(
                f"{images:,} of {progress.done:,} images failed as {reason!r}, over run.max_failed_fraction = "
                f"{settings.max_failed_fraction} (with run.failed_images_before_stop = "
                f"{settings.failed_images_before_stop}). Fix the cause and run the same command: it tries these images "
                "again. If the images themselves are gone, index again first; to have the failures as rows, set the fraction "
                "to 1"
            )
