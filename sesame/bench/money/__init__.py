"""Money under every failure: exits while everything breaks, and what a charge costs us."""
