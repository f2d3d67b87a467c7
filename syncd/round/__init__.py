"""One round over one calendar: pull, store, reconcile, plan, apply."""
