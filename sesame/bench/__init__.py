"""Measurements of the whole path on this machine, with every part real."""
