"""What every bill of materials is held against, whatever image it is of."""

from __future__ import annotations

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

_STRICT = JsonStrictValidator(SchemaVersion.V1_6)


def check_bill(text: str) -> None:
    """Check that it is CycloneDX 1.6 by the letter: no field that the schema does not have."""
    assert _STRICT.validate_str(text) is None
    assert _STRICT.validate_str(text.replace('"components"', '"parts"')) is not None
