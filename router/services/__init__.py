"""The parts of what a user may ask: a concern a module, behind `router.api`."""
