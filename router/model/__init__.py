"""Values: what is. Frozen dataclasses that import nothing of ours but each other and errors."""
