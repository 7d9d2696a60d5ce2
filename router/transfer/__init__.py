"""Moving bytes between storage elements and here, one way per file."""
