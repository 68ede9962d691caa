"""One file a format, in the layouts that photo-z codes read."""
