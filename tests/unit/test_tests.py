"""What the tests promise of themselves."""

import socket

import pytest
import pytest_socket


@pytest.mark.filterwarnings("ignore:A test tried")
def test_a_unit_test_reaches_nothing_beyond_this_machine() -> None:
    with pytest.raises(pytest_socket.SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 443), timeout=1)
