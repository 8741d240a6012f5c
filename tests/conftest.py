"""What every test stands on: both event loops."""

import pytest
from hypothesis import settings

# No test asserts a time: a busy machine is no defect.
settings.register_profile("notifykit", deadline=None)
settings.load_profile("notifykit")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on asyncio and on trio."""
    return str(request.param)
