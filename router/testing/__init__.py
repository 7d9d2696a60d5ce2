"""Fakes of what glideroute meets, and builders of its values: for its own tests and for those of who builds on it."""
