"""ABS and its baselines: pixels and text embeddings in, labels out. It imports no Ray, no Arrow and no store."""
