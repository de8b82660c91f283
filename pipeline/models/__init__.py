"""The encoders: a spec on the driver, a loaded model on the worker."""
