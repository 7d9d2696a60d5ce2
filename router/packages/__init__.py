"""What travels with a job: the user's code, the wrapper, and each job's description."""
