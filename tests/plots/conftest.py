"""An empty picture for each test of plots."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def axes():
    return Figure().subplots()
