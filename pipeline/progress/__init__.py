"""What a person and Prometheus see of a run."""
