"""Stand-ins for outside services, for demos and tests; no product code imports them."""
