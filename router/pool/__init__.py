"""HTCondor. The only folder that may import its bindings; they run in a child process with a deadline."""
