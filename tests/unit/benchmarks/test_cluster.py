"""What crossed between two nodes, as the kernel tells of it."""

from benchmarks.cluster import crossed

SOCKETS = """State Recv-Q Send-Q Local Address:Port Peer Address:Port Process
ESTAB 0 0 127.0.0.11:40001 127.0.0.12:38211
\t cubic wscale:7,7 rto:204 bytes_sent:5000 bytes_acked:4000 bytes_received:77
ESTAB 0 0 127.0.0.12:38211 127.0.0.11:40001
\t cubic wscale:7,7 bytes_sent:77 bytes_acked:77
ESTAB 0 0 127.0.0.11:40002 127.0.0.11:6379
\t cubic bytes_sent:900000 bytes_acked:9
ESTAB 0 0 127.0.0.11:40003 127.0.0.12:6379
\t cubic wscale:7,7
ESTAB 0 0 10.0.0.1:22 10.0.0.2:4000
\t cubic bytes_sent:123456
"""


def test_only_what_goes_from_one_node_to_the_other_counts() -> None:
    assert crossed(SOCKETS) == 5077
    assert crossed("") == 0
