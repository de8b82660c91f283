"""Contract of the image index."""

import dataframely as dy


class ImageIndex(dy.Schema):
    """One row for each image of a collection at the time of the snapshot."""

    image_id = dy.String(
        primary_key=True, description="blake2b-128 of the URI in hex, or the id column of a Parquet source"
    )
    uri = dy.String(
        min_length=1,
        description="absolute path, s3://bucket/key, or FILE.parquet#column=NAME&row=N for bytes embedded in a table",
    )
    etag = dy.String(
        min_length=1, description="version of the image: the store's ETag, or size-mtime_ns on a local disk"
    )
    size_bytes = dy.Int64(nullable=True, min=0, description="size of the encoded image in bytes, if known")
    true_class = dy.String(nullable=True, description="class that the source states for the image, if any")
    carried = dy.Bool(
        nullable=True,
        description="true: the image could not be looked at for this snapshot, and the row is that of the one before",
    )
