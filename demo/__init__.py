"""The demo: a drawn lake and a tiny CLIP that was trained on similar drawings; both work offline."""
