"""What tests of reports share with those of grading."""

from tests.grading.conftest import saved_model

__all__ = ["saved_model"]
