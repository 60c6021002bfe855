"""What crossed between two nodes, as the kernel tells of it."""

from benchmarks.cluster import crossed

SOCKETS = """State Recv-Q Send-Q Local Address:Port Peer Address:Port Process
ESTAB 0 0 [::ffff:127.0.0.1]:40001 [::ffff:127.0.0.12]:38211 users:(("raylet",pid=10,fd=11))
\t cubic wscale:7,7 rto:204 bytes_sent:5000 bytes_acked:4000 bytes_received:77
ESTAB 0 0 [::ffff:127.0.0.12]:38211 [::ffff:127.0.0.1]:40001 users:(("raylet",pid=20,fd=12))
\t cubic wscale:7,7 bytes_sent:77 bytes_acked:77
ESTAB 0 0 127.0.0.1:40002 127.0.0.11:6379 users:(("raylet",pid=10,fd=13))
\t cubic bytes_sent:900000 bytes_acked:9
ESTAB 0 0 127.0.0.11:6379 127.0.0.1:40002 users:(("gcs_server",pid=11,fd=9))
\t cubic bytes_sent:800000 bytes_acked:9
ESTAB 0 0 127.0.0.12:40003 127.0.0.11:6379 users:(("ray::IDLE",pid=21,fd=5),("sh",pid=22,fd=5))
\t cubic wscale:7,7
ESTAB 0 0 127.0.0.11:6379 127.0.0.12:40003 users:(("gcs_server",pid=11,fd=9))
\t cubic bytes_sent:300
ESTAB 0 0 10.0.0.1:22 10.0.0.2:4000 users:(("sshd",pid=5,fd=5))
\t cubic bytes_sent:123456
"""
HOMES = {10: 0, 11: 0, 20: 1, 21: 1}


def test_only_what_goes_from_one_node_to_the_other_counts() -> None:
    assert crossed(SOCKETS, HOMES) == 5077 + 300
    assert crossed(SOCKETS, {10: 0, 11: 0}) == 0
    assert crossed("", HOMES) == 0
