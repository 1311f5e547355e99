#!/bin/bash
# Segments of one video made by schedulers: `make check-cluster`, as root on Debian.
#
#   tests/cluster.sh [BUILD]
#
# Slurm (slurmctld, slurmd, munge) and GNU parallel are installed from Debian's packages if they are
# missing. Slurm's daemons are the test's own, on loopback, with all their files in a folder that goes
# away. Each way must give the bytes of one process:
#
#   - an array of 6 tasks, of which one is killed and requeued; `reprise join` waits for them (afterok)
#   - the same by GNU parallel, of which one task is killed and tried again
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(realpath "${1:-build}")
program=$build/reprise
work=$(mktemp -d)
host=$(hostname -s)
export REPRISE_OFFLINE=1 SLURM_CONF=$work/slurm.conf

# ---- set-up ---------------------------------------------------------------------------------------

cleanup() {
    local pid
    for pid in slurmd slurmctld munged; do
        [ ! -s "$work/$pid.pid" ] || kill "$(cat "$work/$pid.pid")" || true
    done
    sleep 1
    rm -rf "$work"
}
trap cleanup EXIT

missing=()
for package in slurmctld slurmd slurm-client munge parallel; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>&1 | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} != 0 ]; then
    [ "$(id -u)" = 0 ] || { echo "as root, to install ${missing[*]}" >&2 && exit 1; }
    apt-get install -y --no-install-recommends "${missing[@]}"
fi

start_slurm() {
    head -c 1024 /dev/urandom >"$work/munge.key"
    chmod 400 "$work/munge.key"
    chmod 755 "$work"
    munged --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
        --pid-file="$work/munged.pid" --log-file="$work/munged.log" --seed-file="$work/munge.seed"
    mkdir "$work/state" "$work/spool"
    cat >"$SLURM_CONF" <<CONF
ClusterName=reprise
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_res
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
JobRequeue=1
ReturnToService=2
KillWait=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=3 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    slurmctld -c
    slurmd -c
    for _ in {1..30}; do
        sinfo -h -o %T | grep -q idle && return
        sleep 1
    done
    tail -n 5 "$work"/*.log
    return 1
}

# ---- the clip -------------------------------------------------------------------------------------

media=$work/media
mkdir "$media"
ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=25:d=24 -f lavfi -i sine=330:d=24 -c:v libx264 \
    -preset ultrafast -c:a aac "$media/clip.mp4"
job=("$program" headless-run --processors face_debugger --face-selector-mode many -t "$media/clip.mp4"
    --output-video-piece 1)
"${job[@]}" -o "$media/one.mp4"
pieces() { # NAME: done so far
    cat "$media/.$1.mp4.job"/*.journal 2>&1 | grep -c '^piece ' || true
}

same() { # NAME WHAT
    cmp "$media/one.mp4" "$media/$1.mp4" && [ ! -e "$media/.$1.mp4.job" ] && echo "ok $2"
}

# ---- Slurm ----------------------------------------------------------------------------------------

wait_for() { # SECONDS COMMAND...
    local i
    for ((i = 0; i < $1 * 10; i++)); do
        "${@:2}" && return
        sleep 0.1
    done
    echo "not within $1 seconds: ${*:2}" >&2
    squeue >&2
    return 1
}

is_running() { # TASK
    [ "$(squeue -h -t R -j "$array"_"$1" -o %T 2>&1)" = RUNNING ]
}

has_begun() {
    [ "$(pieces slurm)" -ge 3 ]
}

is_over() {
    ! squeue -h -j "$joined" 2>&1 | grep -q "$joined"
}

start_slurm
array=$(sbatch --parsable --requeue --array=0-5 -o "$work/task-%a.log" --open-mode=append --wrap \
    "${job[*]} -o $media/slurm.mp4 --segment auto")
joined=$(sbatch --parsable --dependency=afterok:"$array" -o "$work/join.log" --wrap \
    "$program join $media/slurm.mp4")
wait_for 60 is_running 1
wait_for 60 has_begun
scontrol requeue "$array"_1 # it is killed, as when its node is drained
wait_for 120 is_over
cat "$work/join.log"
restarts=$(scontrol show job "$array"_1 | grep -o 'Restarts=[0-9]*')
echo "task 1: $restarts, $(grep -c 'segment 2 of 6' "$work/task-1.log") starts"
[ "$restarts" != Restarts=0 ]
same slurm 'Slurm: an array of 6, one killed and requeued, join by afterok'

# ---- GNU parallel ---------------------------------------------------------------------------------

# The third task is killed the first time it runs; any other code than 0 is tried again.
cat >"$work/task" <<TASK
#!/bin/bash
if [ "\$1" = 3 ] && mkdir "$work/killed" 2>&1; then
    timeout -s KILL 2 ${job[*]} -o "$media/parallel.mp4" --segment "\$1/6"
    exit 137
fi
exec ${job[*]} -o "$media/parallel.mp4" --segment "\$1/6"
TASK
chmod +x "$work/task"
parallel --will-cite -j 3 --retries 3 "$work/task" {} ::: 1 2 3 4 5 6
[ -d "$work/killed" ]
"$program" join "$media/parallel.mp4"
same parallel 'GNU parallel: 6 segments, one killed and tried again'
