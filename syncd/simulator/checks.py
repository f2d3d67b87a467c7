"""
Checks of single values that a request sent, with the refusals of an OData service.

Knows types and sets; refuses to know which property means what.
"""

from syncd.simulator.errors import bad_body, invalid_property

__all__ = ["boolean", "choice", "mapping", "number", "optional_text", "text"]

_MAX_TEXT = 2_000_000


def choice(value: object, allowed: tuple[str, ...], name: str) -> str:
    """Return the member of `allowed` that `value` names in any case. Raises: ServiceError 400."""
    if isinstance(value, str):
        for option in allowed:
            if option.casefold() == value.casefold():
                return option
    raise bad_body(f"Requested value is not a legal value of {name}.")


def number(value: object, low: int, high: int, name: str) -> int:
    """Return an Edm.Int32 within its range. Raises: ServiceError 400."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_body(f"Cannot convert the value of {name} to the expected type 'Edm.Int32'.")
    if not low <= value <= high:
        raise invalid_property(f"The value of {name} is out of range.")
    return value


def boolean(value: object, name: str) -> bool:
    """Return an Edm.Boolean, which may come as text. Raises: ServiceError 400."""
    # O365 sends "isOnlineMeeting": "false", and the service's OData reader converts it.
    if isinstance(value, str) and value.casefold() in ("true", "false"):
        return value.casefold() == "true"
    if not isinstance(value, bool):
        raise bad_body(f"Cannot convert the value of {name} to the expected type 'Edm.Boolean'.")
    return value


def text(value: object, name: str) -> str:
    """Return an Edm.String. Raises: ServiceError 400."""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise bad_body(f"Cannot convert the value of {name} to the expected type 'Edm.String'.")
    return value


def optional_text(value: object, name: str) -> str:
    """Return an Edm.String, null being empty. Raises: ServiceError 400."""
    return "" if value is None else text(value, name)


def mapping(value: object, name: str) -> dict[str, object]:
    """Return a JSON object. Raises: ServiceError 400."""
    if not isinstance(value, dict):
        raise bad_body(f"Property {name} in payload has a value that does not match schema.")
    return value
