"""What every test stands on: both event loops, and how Hypothesis searches."""

import os

import pytest
from hypothesis import settings

# No test asserts a time: a busy machine is no defect. A full run gives one commit one answer; shorter ones and the battery search on.
settings.register_profile("notifykit", deadline=None, derandomize=os.environ.get("NOTIFYKIT_PROFILE") == "ci")
settings.load_profile("notifykit")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on asyncio and on trio."""
    return str(request.param)
