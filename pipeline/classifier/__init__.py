"""ABS and its baselines: pixels and text embeddings in, labels out; knows no Ray, no Arrow and no store."""
