"""Renders plates and scenes, and trains the two networks. Nothing at run time imports this."""
