"""The edge agent of one lane: journal, guards, barrier, camera, and the way to the bridge."""
