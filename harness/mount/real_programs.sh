#!/bin/bash
# Ordinary programs on a `daxlab mount`: git, tar, sqlite3 (WAL and rollback journal), fio (sync and mmap), rsync, and the copy of a
# tree of at least 50 000 files. What they left is compared with its source after unmount and mount; then the server is killed in the
# middle of a copy, the image checked, mounted, and what had been there compared again. Needs root, fio, git, rsync, sqlite3.
#
#   harness/mount/real_programs.sh [DAXLAB] [ENGINE] [SOURCE_TREE] [WORK_DIR]
set -euo pipefail
daxlab=${1:-./daxlab} engine=${2:-native} tree=${3:-/usr/share} work=${4:-$(mktemp -d)}
image=$work/image mnt=$work/mnt server=
mkdir -p "$mnt"
trap 'say "failed in line $LINENO"' ERR
trap 'umount "$mnt" 2>/dev/null || true; rm -rf "$work"' EXIT

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
serve() {
  "$daxlab" mount --media "file:$image" "$mnt" 2>"$work/server.log" &
  server=$!
  until mountpoint -q "$mnt"; do sleep 0.1; kill -0 $server || { cat "$work/server.log"; exit 1; }; done
}
leave() { umount "$mnt"; wait $server; }
check() { "$daxlab" check --media "file:$image"; }
same() { diff -r --no-dereference "$1" "$2"; }
listing() { (cd "$1" && find . -printf '%p %y %m %n %s %l\n' | awk '$2 == "d" {$5 = "-"} {print}' | sort); }

say "mkfs: $engine, 6 GiB"
"$daxlab" mkfs --engine "$engine" --media "file:$image:6GiB"
serve

say "git: init, commit of 2000 files, clone, branches, checkout, fsck"
mkdir "$work/git"
(cd "$work/git" && git init -q . && find /usr/include -type f | awk 'NR <= 2000' | xargs cp --parents -t . && git add -A &&
  git -c user.name=a -c user.email=a@b commit -qm one && find usr -name '*a*.h' -delete && git add -A &&
  git -c user.name=a -c user.email=a@b commit -qm two)
git clone -q --no-local "$work/git" "$mnt/clone"
(cd "$mnt/clone" && git checkout -q HEAD~1 && git checkout -q - && git status --porcelain | { ! grep .; } && git fsck --strict)

say "tar: a tree packed into the mount and unpacked there"
tar -C /usr -cf "$mnt/include.tar" include
mkdir "$mnt/tar" && tar -C "$mnt/tar" -xf "$mnt/include.tar"
tar -C /usr -df "$mnt/include.tar"

say "sqlite3: 20 000 rows with WAL, with a rollback journal; integrity_check"
for mode in wal delete; do
  sqlite3 "$mnt/$mode.db" "PRAGMA journal_mode=$mode; PRAGMA synchronous=FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);" >/dev/null
  for i in $(seq 1 100); do
    echo "BEGIN; WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < 200) INSERT INTO t(b) SELECT hex(randomblob(50)) FROM n; COMMIT;"
  done | sqlite3 "$mnt/$mode.db"
  sqlite3 "$mnt/$mode.db" "UPDATE t SET b = b || a WHERE a % 3 = 0; DELETE FROM t WHERE a % 7 = 0;"
  [ "$(sqlite3 "$mnt/$mode.db" 'PRAGMA integrity_check')" = ok ]
  sqlite3 "$mnt/$mode.db" 'SELECT count(*), sum(length(b)) FROM t' >"$work/$mode.sum"
done

say "fio: sync and mmap engines, random 4 KiB writes with fsync, verified by crc32c"
for ioengine in sync mmap; do
  fio --name=$ioengine --directory="$mnt" --ioengine=$ioengine --rw=randwrite --bs=4k --size=64m --fsync=64 --verify=crc32c \
    --do_verify=1 --verify_fatal=1 --minimal >/dev/null
done

say "rsync: a tree, checksums compared"
rsync -a /usr/include/ "$mnt/rsync/"
[ -z "$(rsync -anc --delete --itemize-changes /usr/include/ "$mnt/rsync/")" ]

say "cp -a: $tree"
cp -a "$tree" "$mnt/tree"
files=$(find "$mnt/tree" | wc -l)
say "  $files files and directories"
[ "$files" -ge 50000 ]
leave
check
serve

verify() {
  same "$tree" "$mnt/tree"
  diff <(listing "$tree") <(listing "$mnt/tree")
  same /usr/include "$mnt/tar/include"
  same /usr/include "$mnt/rsync"
  same "$work/git/usr" "$mnt/clone/usr"
  (cd "$mnt/clone" && git fsck --strict)
  for mode in wal delete; do
    [ "$(sqlite3 "$mnt/$mode.db" 'PRAGMA integrity_check')" = ok ]
    sqlite3 "$mnt/$mode.db" 'SELECT count(*), sum(length(b)) FROM t' | cmp - "$work/$mode.sum"
  done
  for ioengine in sync mmap; do
    fio --name=$ioengine --directory="$mnt" --ioengine=sync --rw=randwrite --bs=4k --size=64m --verify=crc32c --verify_only \
      --verify_fatal=1 --minimal >/dev/null
  done
}
say "after unmount and mount: everything compared with its source"
verify

say "SIGKILL of the server in the middle of a copy, then check, mount, comparison"
cp -a /usr/lib/python3 "$mnt/cut" 2>/dev/null &
copy=$!
sleep 2
kill -KILL $server
wait $copy $server 2>/dev/null || true
umount "$mnt"
check
serve
say "  $(find "$mnt/cut" | wc -l) files of the cut copy are there"
verify
find "$mnt/cut" -type f -size +0 | awk 'NR <= 2000' | while read -r file; do
  cmp -n "$(stat -c %s "$file")" "$file" "/usr/lib/python3${file#"$mnt/cut"}"
done
rm -rf "$mnt/cut"
leave
check
say "done: all that was compared was the same"
