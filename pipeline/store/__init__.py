"""How bytes are reached: a folder or an object store; knows no image and no run."""
