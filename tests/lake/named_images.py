"""Which images a lake names, anywhere in it."""

from laketag.pipeline.lake.image_files import NAMES, image_files
from laketag.pipeline.lake.paths import TABLES, Lake
from laketag.pipeline.lake.tables import scan_table


def named_images(lake: Lake) -> dict[str, set[str]]:
    """The ids in each table, also in files that no run names."""
    found: dict[str, set[str]] = {}
    for table in TABLES:
        for file in image_files(lake, table):
            rows = scan_table([file.url], file.schema, lake.storage).select(NAMES).collect()
            found.setdefault(table, set()).update(rows["image_id"])
    return found
