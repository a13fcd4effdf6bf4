"""What upstreams ask of the agent's side: judged, put, parked, answered."""
