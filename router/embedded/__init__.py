"""A whole HTCondor pool on one machine, owned by one person and needing no rights; nothing here decides or routes."""
