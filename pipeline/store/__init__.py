"""How bytes are reached, in a folder or an object store; knows no image and no run."""
