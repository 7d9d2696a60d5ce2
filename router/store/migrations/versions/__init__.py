"""One file a revision: how the schema gets there from the one before, and back."""
