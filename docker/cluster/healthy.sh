#!/bin/bash
# The node takes jobs, and sshd listens on port 2222, 08AE. To connect would fill its log.
export SLURM_CONF=/var/lib/slurm/etc/slurm.conf
sinfo --noheader --format=%T | grep -qE '^(idle|mixed|allocated)$' &&
    grep -qE ':08AE [0-9A-F]+:0000 0A ' /proc/net/tcp
