"""TLS and secrets from files, and what is wrong with a certificate, in sentences for an operator."""

import ssl
from pathlib import Path

EXPIRED, NOT_YET_VALID = 10, 9
WRONG_NAME = (62, 64)
"""OpenSSL's codes of what is wrong with a certificate."""


def tls_context(prefix: str, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return TLS 1.2 or later that checks names; trusts ``ca`` alone or, without one, what this machine trusts.

    Args:
        prefix: What the settings that name the files begin with, for messages.
        ca: PEM file of one or more authorities.
        certificate: PEM file of our own certificate, for servers that ask who we are.
        key: Its private key, PEM without a passphrase.

    Raises:
        ValueError: In a sentence for an operator, if a file is missing or is not that.
    """
    if (certificate is None) != (key is None):
        raise ValueError(f"{prefix}CERTIFICATE_FILE, {prefix}KEY_FILE: set both or none")
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as wrong:
        raise ValueError(f"{prefix}CA_FILE: {ca} holds no PEM certificates ({_reason(wrong)})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        try:
            # an empty passphrase: one that is asked for would wait at the terminal for ever
            context.load_cert_chain(str(certificate), str(key), password="")
        except (OSError, ValueError) as wrong:
            raise ValueError(
                f"{prefix}CERTIFICATE_FILE, {prefix}KEY_FILE: {certificate} and {key} are no PEM certificate and its "
                f"private key without a passphrase ({_reason(wrong)})"
            ) from None
    return context


def first_line(variable: str, file: Path) -> str:
    """Return the secret in a file.

    Raises:
        ValueError: If there is none; the message names the setting and the file.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{variable}: {file} cannot be read ({_reason(wrong)})") from None
    if not lines or not lines[0]:
        raise ValueError(f"{variable}: {file} has no first line")
    return lines[0]


def certificate_fault(prefix: str, server: str, wrong: ssl.SSLCertVerificationError) -> str:
    """Return what is wrong with a server's certificate and what to do, in a sentence.

    Args:
        prefix: What the settings of the server begin with.
        server: What it is and where.
        wrong: What a handshake said.
    """
    if wrong.verify_code in (EXPIRED, NOT_YET_VALID):
        return f"the certificate of {server} is not valid now ({wrong.verify_message}): renew it on the server"
    if wrong.verify_code in WRONG_NAME:
        return (
            f"the certificate of {server} is for another name ({wrong.verify_message.rstrip('.')}): reach it by "
            "the name that it was made for, or have one made for this name"
        )
    return (
        f"{prefix}CA_FILE: the certificate of {server} is not from an authority in it ({wrong.verify_message}): name "
        "the file with the authority of the server"
    )


def _reason(wrong: Exception) -> str:
    if isinstance(wrong, ssl.SSLError):
        return (wrong.reason or "no PEM").lower().replace("_", " ")
    return getattr(wrong, "strerror", None) or type(wrong).__name__
