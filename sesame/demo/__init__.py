"""A town to show everything in: places, lanes, cars and phones around the real processes."""
