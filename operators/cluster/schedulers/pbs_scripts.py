"""What is asked of PBS: sh scripts.

A server that keeps no history, which is OpenPBS's default, answers every question with -x by a
sentence on stderr and nothing else, exit code 0: live jobs, too. So what is told with -x is only
believed where something is told; else it is asked again without.
"""

# PBS gives a job the umask 077, whatever the login's is: what it writes no colleague could read.
SUBMIT = r"""
case " $*" in *' -W umask='*) exec qsub "$@" ;; esac
umask=$(umask)
exec qsub -W umask="${umask#0}" "$@"
"""

STATUS = r"""
told=$(qstat -x -t -f "$@"); code=$?
case $told in
  *'Job Id: '*) ;;
  *) told=$(qstat -t -f "$@"); code=$? ;;
esac
printf '%s\n' "$told"
exit $code
"""

FIND = r"""
qselect -x -N "$1" || exit
qselect -N "$1"
"""

NAMES = r"""
ids=$(qselect -u "$(id -un)") || exit
echo $ids
[ -z "$ids" ] || qstat -f $ids
"""

SURVEY = r"""
echo '<'
env | sed -nE "s/^(($1)[A-Za-z0-9_]*)=(.*)/variable \1=\3/p"
qselect -x -N yieldloop.survey 2>&1 | sed 's/^/history /'
printf '\n>\n'
"""
