"""What drivers read at the lane: the plate, the amount, and a code to scan."""
