"""Payment providers, put together from the settings."""
