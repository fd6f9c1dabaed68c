"""Merchants near the places: who validates stays, and with what budget."""
