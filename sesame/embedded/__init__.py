"""PostgreSQL and Valkey of one installation, started from wheels or from the system."""
