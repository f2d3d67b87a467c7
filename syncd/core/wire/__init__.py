"""Readers and writers between the two wire forms (JSON, content lines) and `syncd.core.event`."""
