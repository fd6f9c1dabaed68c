"""Real barriers: relays that raise the arm, and contacts that tell what it did."""
