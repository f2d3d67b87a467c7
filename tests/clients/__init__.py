"""Programs that nobody here wrote, at work on the folder and on the simulated service."""
