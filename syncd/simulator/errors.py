"""
Refusals of the calendar service, as values with Graph's status and code.

Knows codes seen for calendars; refuses to know how they travel (the HTTP skin wraps them in the
error envelope).
"""

__all__ = [
    "ServiceError",
    "access_denied",
    "bad_body",
    "folder_not_found",
    "invalid_property",
    "invalid_request",
    "item_not_found",
    "malformed_id",
]


class ServiceError(Exception):
    """
    The service says no.

    Args:
        status: HTTP status. code: Graph's error code. message: for people only.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def item_not_found() -> ServiceError:
    """Return the answer for a well-formed id that names nothing here."""
    return ServiceError(
        404, "ErrorItemNotFound", "The specified object was not found in the store."
    )


def folder_not_found() -> ServiceError:
    """Return the answer for an unknown calendar group."""
    return ServiceError(404, "ErrorFolderNotFound", "The specified folder could not be found.")


def malformed_id() -> ServiceError:
    """Return the answer for text that cannot be an id."""
    return ServiceError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def invalid_request(message: str) -> ServiceError:
    """Return the answer for a request that makes no sense as a whole."""
    return ServiceError(400, "ErrorInvalidRequest", message)


def invalid_property(message: str) -> ServiceError:
    """Return the answer for a property whose value breaks a rule."""
    return ServiceError(400, "ErrorPropertyValidationFailure", message)


def bad_body(message: str) -> ServiceError:
    """Return the answer for a body that does not fit the metadata."""
    return ServiceError(400, "RequestBodyRead", message)


def access_denied(
    message: str = "Access is denied. Check credentials and try again.",
) -> ServiceError:
    """Return the answer for a right that the caller lacks."""
    return ServiceError(403, "ErrorAccessDenied", message)
