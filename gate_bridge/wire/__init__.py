"""The gate wire, subprotocol `sesame.gate.v1`: what both ends of a lane's connection share."""
