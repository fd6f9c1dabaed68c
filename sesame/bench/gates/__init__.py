"""Thousands of gates on one bridge process."""
