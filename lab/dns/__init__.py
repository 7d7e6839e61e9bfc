"""The lab's DNS server: authoritative for the hosted zones of the lab's AWS and for the cluster's Services.

    zones    a question and what is known -> the answer: pure
    source   what is known: the zones by HTTP, Services from the API server, asked when needed and remembered briefly
    server   DNS over UDP and TCP

It forwards nothing: whatever is not in the lab does not exist.
"""
