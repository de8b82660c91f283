"""Processes that are killed while they work: each image still has one label, and it is the same one."""
