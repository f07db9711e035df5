"""What is asked of Slurm: sh scripts, and words that several commands begin with."""

HOUR_S = 3600

QUEUE = ("env", "SLURM_BITSTR_LEN=0", "squeue", "--me", "--all", "--noheader")

# sacct's whole answer, or nothing where the site runs no accounting. A database that answers no
# span so long (MaxQueryTimeRange) is asked for half of it, down to an hour.
_SACCT = r"""
accounts() {
  span=$1; shift
  while :; do
    { said=$(SLURM_BITSTR_LEN=0 SLURM_TIME_FORMAT=%s sacct --noheader --parsable2 \
      --starttime="now-$span" "$@" 2>&1 1>&3); code=$?; } 3>&1
    [ $code != 0 ] || return 0
    case $code:$said in
      127:* | *'storage is disabled'*) return 0 ;;
      *'oo wide of a date range'* | *'ange in query'*) [ "$span" -gt 3600 ] || break ;;
      *) break ;;
    esac
    span=$((span / 2))
  done
  printf '%s\n' "$said" >&2
  return 1
}
"""

ACCOUNTING = _SACCT + 'accounts "$@"\n'

# The accounting is asked for what the queue has forgotten, or only shows as refused.
FIND = (
    _SACCT
    + rf"""
queue=$({" ".join(QUEUE)} --states=all --format='%F|%T|%r|%j|.' --name="$1") || exit
[ -z "$queue" ] || printf '%s\n' "$queue"
echo --
case $queue in
  '' | *'|FAILED|BadConstraints|'*) ;;
  *) exit 0 ;;
esac
accounts "$2" --allocations --format=JobID,JobName --name="$1"
"""
)

SURVEY = r"""
echo '<'
env | sed -nE "s/^(($1)[A-Za-z0-9_]*)=(.*)/variable \1=\3/p"
if ! command -v sacct >/dev/null; then echo 'accounting no program'
else
  said=$(sacct --noheader --starttime=now-3600 2>&1 >/dev/null) ||
    echo "accounting $said" | head -n 1
fi
scontrol show config 2>/dev/null | sed -nE \
  's/^(DefMemPer[A-Za-z]+|MaxMemPer[A-Za-z]+|MaxArraySize|JobRequeue|PrivateData) *= */config \1 /p'
scontrol --all --oneliner show partition 2>/dev/null | grep ' Hidden=YES' |
  sed -nE 's/^PartitionName=([^ ]+) .*/hidden \1/p'
printf '\n>\n'
"""


def span(age_s: float) -> str:
    """Write the whole seconds that a job of that age lies in, whatever the two clocks show."""
    return str(round(max(0.0, age_s)) + HOUR_S)
