"""E-mail addresses: which are valid, and which two are the same mailbox."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def address_key(address: str) -> str:
    """Give the form in which two spellings of one address are equal: no case, no blanks around it.

    What is no valid address is a key of its own, so that an opt-out with a slip in it does no harm.
    """
    stripped = address.strip()
    # Validation changes nothing else about such an address, and it takes a hundred times as long.
    if stripped.isascii() and "xn--" not in stripped.lower():
        return stripped.lower()
    return (normalised(stripped) or stripped).lower()


def normalised(address: str) -> str | None:
    """Give an address as `email-validator` writes it; None where it is not valid."""
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None
