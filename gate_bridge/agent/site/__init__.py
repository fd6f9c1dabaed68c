"""A site: cameras and barriers of several lanes, in one process."""
