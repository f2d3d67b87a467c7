"""Files and events that nobody would want to be sent, and what must hold of any bytes."""
