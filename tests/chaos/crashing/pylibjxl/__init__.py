"""A decoder with faults, in place of the real one, for tests of images that kill their process."""
