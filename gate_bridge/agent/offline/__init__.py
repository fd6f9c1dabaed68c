"""What a gate decides by itself while no bridge can be reached."""
