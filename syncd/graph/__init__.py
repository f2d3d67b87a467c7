"""The adapter for Microsoft Graph: signing in, and requests and answers as values."""
