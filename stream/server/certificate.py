"""From when to when a certificate holds."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import Final

SOON: Final = 7 * 86_400.0
"""Seconds before its end from which on a certificate is to be renewed."""

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name: a certificate is looked at whatever its dates are.
_ANY_TIME: Final = 0x200000


def validity_warning(tls: ssl.SSLContext, certificate: str, now: float) -> str | None:
    """Say what is wrong with the time of a certificate, if anything is.

    Parameters
    ----------
    tls : ssl.SSLContext
        What serves with it.
    certificate : str
        Its file.
    now : float
        Unix time.
    """
    try:
        begin, end = validity_period(tls, certificate)
    except ssl.SSLError:
        return None  # it is strange, and yet may be what the clients want
    if now < begin:
        told = f"it does not hold before {_day(begin)}, and clients refuse it; is this machine's clock right?"
    elif now >= end:
        told = f"it expired on {_day(end)}, and clients refuse it"
    elif end - now < SOON:
        days = int((end - now) // 86_400)
        told = f"it expires in {days} day{'' if days == 1 else 's'}" if days else "it expires within a day"
        told += f", on {_day(end)}"
    else:
        return None
    return f'certificate is "{certificate}": {told}'


def validity_period(tls: ssl.SSLContext, certificate: str) -> tuple[float, float]:
    """Return from when to when a certificate holds.

    Python tells the dates of a certificate only to who was shown it and trusts it. So it is shown to a client in
    memory, which trusts that very file.

    Returns
    -------
    begin, end : float
        Unix times.

    Raises
    ------
    ssl.SSLError
        When no client would take it, whatever the time is.
    """
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_ANY_TIME)
    trust.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = trust.wrap_bio(back, there), tls.wrap_bio(there, back, server_side=True)
    for _ in range(3):  # TLS 1.2 takes so many turns, 1.3 takes two
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    shown = client.getpeercert()
    assert shown is not None
    begin, end = (ssl.cert_time_to_seconds(str(shown[date])) for date in ("notBefore", "notAfter"))
    return begin, end


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
