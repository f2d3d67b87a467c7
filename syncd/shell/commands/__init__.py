"""The commands, one module a group; each imports what is heavy when it is run."""
