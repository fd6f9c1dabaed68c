"""How the fleet of lanes is."""
