"""Thousands of sockets that watch: what each costs, and how soon it hears."""
