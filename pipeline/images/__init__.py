"""What belongs to others and is only read: where images are, which version, their bytes and pixels."""
