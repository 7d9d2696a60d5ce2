"""Ways to start glideins, one per file. They are handed a queue and never import HTCondor's bindings."""
