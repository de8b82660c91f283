"""One file for each command: arguments, settings, flow, exit code."""
