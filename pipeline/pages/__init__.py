"""Pages for a browser: templates, their style and script, and what makes one file of them. It knows no lake and no run."""
