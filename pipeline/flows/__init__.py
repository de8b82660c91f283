"""Whole runs, each readable as one chain."""
