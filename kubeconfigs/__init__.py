"""Kubeconfigs, read and written as kubectl 1.34 does; for the program, its preflight and the commands alike.

    reading    text or file -> one context, with kubectl's types and paths; merging ($KUBECONFIG) is not needed here
    checking   what kubectl refuses in a context, and certificates
    proxy      which proxy a server is asked through
    writing    one context made portable, and kubeconfigs for app owners

Light: the standard library and PyYAML. No error shows anything of a kubeconfig but names, keys, paths and addresses.
"""
