"""Fapiao: the port to the service that has the tax office issue them, its fake and its adapter."""
