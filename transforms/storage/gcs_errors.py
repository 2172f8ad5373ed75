"""What Google Cloud Storage answers, as OSErrors whose sentences say what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_LOGIN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service "
    "account"
)


def error_of(status: int, message: str, url: str) -> OSError:
    """The error for an HTTP status that is no success.

    Args:
      status: of the answer.
      message: its text; what it says of a missing bucket is looked for.
      url: ``gs://bucket/name``.
    """
    bucket = url.removeprefix("gs://").partition("/")[0]
    short = " ".join(message.split())[:200]
    if status == 401:
        return PermissionError(errno.EACCES, f"Google does not accept the credentials (401): {_LOGIN}", url)
    if status == 403:
        detail = f"no access (403: {short}); give the account the role Storage Object User on bucket {bucket}"
        return PermissionError(errno.EACCES, detail, url)
    if status == 404 and "bucket" in message.lower() and "object" not in message.lower():
        detail = (
            f"there is no bucket {bucket}: mend its name, or make it with `gcloud storage buckets create gs://{bucket}`"
        )
        return FileNotFoundError(errno.ENOENT, detail, url)
    if status == 404:
        return FileNotFoundError(errno.ENOENT, "there is no such object", url)
    if status == 412:
        return FileExistsError(errno.EEXIST, "the object is not the one that was expected", url)
    return OSError(errno.EIO, f"the storage answers {status} ({short}); try again later", url)


def unreachable(error: Exception, url: str) -> OSError:
    """The error for a storage that could not be reached in all the time there was."""
    short = " ".join(str(error).split())[:200]
    return OSError(errno.ETIMEDOUT, f"the storage cannot be reached ({short}); look to the network and try again", url)


@contextmanager
def in_plain_words(url: str) -> Iterator[None]:
    """Turns the exceptions of Google's libraries into OSErrors."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

    try:
        yield
    except DefaultCredentialsError:
        raise PermissionError(errno.EACCES, f"there are no Google credentials: {_LOGIN}", url) from None
    except RefreshError as error:
        detail = f"the Google credentials are expired or revoked ({str(error.args[0])[:120]}): {_LOGIN}"
        raise PermissionError(errno.EACCES, detail, url) from None
    except GoogleAPICallError as error:
        if error.code is None:
            raise unreachable(error, url) from error
        raise error_of(int(error.code), error.message or "", url) from None
    except (RetryError, TransportError, requests.exceptions.RequestException) as error:
        raise unreachable(error, url) from error
