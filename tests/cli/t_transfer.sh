# SPDX-License-Identifier: Apache-2.0
# Goal: a directory becomes a volume and a volume a directory, and what stands in the way is named before anything moves.
. "$HERE/lib.sh"
store s key orders
mkdir d d/sub
echo one >d/one
echo two >d/sub/two
ln d/one d/sub/again
ln d/sub/two outside
echo "# what is refused"
k volume adopt d v
k volume adopt d d/v --key file:s#orders --key-file key
k volume adopt nothing v --key file:s#orders --key-file key
k volume adopt d nothing/v --key file:s#orders --key-file key
k volume release d v
ls
echo "# in use"
exec 5<d/one
k volume adopt d v --key file:s#orders --key-file key 2>&1 | sed 's/process [0-9]* (.*)/process PID (NAME)/'
exec 5<&-
ls -A d
echo "# adopt"
k volume adopt d v --key file:s#orders --key-file key
ls -A d
k volume verify v
k volume adopt d v -o json
echo "# back, into a directory that has something of that name"
echo other >d/one
k volume release v d
cat d/one
rm d/one
k volume release v d -o json
cat d/one d/sub/two d/sub/again
ls -A v
k volume release v d
echo "# a file that becomes longer than this process may make one"
mkdir big
head -c 300000 /dev/zero | tr '\0' x >big/file
(ulimit -f 100 && k volume adopt big w --key file:s#orders --key-file key)
wc -c <big/file
k volume adopt big w
k volume verify w
