"""Contract of the table of forgotten images."""

import dataframely as dy


class Forgotten(dy.Schema):
    """One row for each name of a forgotten image, hashed with the key in the footer; indexes leave the image out."""

    hashed_uri = dy.String(min_length=1, description="keyed blake2b-128 of the image's URI")
    hashed_id = dy.String(min_length=1, description="keyed blake2b-128 of its image_id")
    collection = dy.String(description="the collection that held it; empty if none did")
    everywhere = dy.Bool(description="its URI is left out of every collection, and not only of this one")
    hashed_prefix = dy.String(
        nullable=True, description="keyed blake2b-128 of the URI prefix that named it; null if a list did"
    )
    forgotten_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when it was forgotten, UTC")
