"""The lab's chart repository: small charts under the real charts' names, versions and value keys.

Each folder with a Chart.yaml is a chart. They install the same kinds of objects under the same names as the
real charts, with what the lab needs: servers bind to their pod's own address, probes are quick, and
admission webhooks are left out where no process would answer them. A value key that a chart does not know
is refused (see `repository.schema`).
"""
