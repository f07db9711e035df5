#!/bin/bash
# The node takes jobs, and the login node answers.
export SLURM_CONF=/var/lib/slurm/etc/slurm.conf
sinfo --noheader --format=%T | grep -qE '^(idle|mixed|allocated)$' && exec 3<>/dev/tcp/localhost/2222
