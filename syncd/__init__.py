"""syncd: calendars on your own machine, in step with Microsoft 365 / Outlook."""

__version__ = "0.1.0"
