"""The encoders: a spec is made on the driver, the loaded model lives on the worker."""
