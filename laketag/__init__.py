"""Zero-shot labels for every image of a lake."""
