"""The demo: a drawn lake and a tiny CLIP that was trained on such drawings; both work offline."""
