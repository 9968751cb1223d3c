"""ArangoDB's errors: HTTP status, errorNum and message, raised anywhere and sent by the HTTP layer.

Belongs here: the error class and the errorNums that more than one module raises. Does not belong here: faults
that a test asks for (`faults`).
"""

from __future__ import annotations

from typing import Any

BAD_PARAMETER = 10
UNAUTHORIZED = 11
MALFORMED_JSON = 600
CONFLICT = 1200
DOCUMENT_NOT_FOUND = 1202
COLLECTION_NOT_FOUND = 1203
DUPLICATE_NAME = 1207
ILLEGAL_NAME = 1208
UNIQUE_CONSTRAINT = 1210
INDEX_NOT_FOUND = 1212
BAD_KEY = 1221
KEY_MISSING = 1226
BAD_TYPE = 1227
DATABASE_NOT_FOUND = 1228
SYSTEM_ONLY = 1230
BAD_EDGE = 1233
KILLED = 1500
PARSE = 1501
EMPTY_QUERY = 1502
CURSOR_NOT_FOUND = 1600
CURSOR_BUSY = 1601


class ApiError(Exception):
    """What the server answers instead of a result.

    Args:
        status: HTTP status.
        number: ArangoDB's errorNum.
        message: Its errorMessage.
        more: Further attributes of the body, such as `_key` and `_rev` of a conflict.
    """

    def __init__(self, status: int, number: int, message: str, **more: Any) -> None:
        super().__init__(f"[{status}/{number}] {message}")
        self.status = status
        self.number = number
        self.message = message
        self.more = more

    def body(self) -> dict[str, Any]:
        return {
            "error": True,
            "code": self.status,
            "errorNum": self.number,
            "errorMessage": self.message,
            **self.more,
        }


def bad_parameter(message: str) -> ApiError:
    return ApiError(400, BAD_PARAMETER, message)


def collection_not_found(name: str) -> ApiError:
    return ApiError(404, COLLECTION_NOT_FOUND, f"collection or view not found: {name}")
