"""The shell round the decisions: the only code that waits, retries, and reads the clock."""
