// Package lock makes runs wait for one another, with locks that the kernel
// lets go of when their holder dies, however it dies. Nobody ever has to
// remove a lock by hand.
//
// # Concepts
//
// Linux has three kinds of lock on a file, and they do not see each other:
//
//   - flock(2) belongs to an open file description: two opens of a file in
//     one process exclude each other as two processes do. It works on
//     directories too. [Locker.Dir] and [Locker.File] take it.
//   - A classic record lock (fcntl F_SETLK, lockf) belongs to a process, and is
//     lost as soon as the process closes any descriptor of the file, be it one
//     that a library opened to have a look. The Python program holds one on
//     its journal. We take none.
//   - An open-file-description record lock (fcntl F_OFD_SETLK) excludes the
//     classic one, but belongs to an open file description, as flock does.
//
// A [Group] combines the last two for a file that our own runs share, and that
// the Python program must be kept away from: a shared OFD lock from Join to
// Leave lets our runs in side by side and keeps it out, and an flock "for
// moments" orders what they read and write. A run that wants the file for
// itself asks to be Alone.
//
// The descriptors are not passed on to the programs that a run starts
// (O_CLOEXEC). A child has them for an instant all the same, between fork and
// exec; therefore a lock is unlocked before its descriptor is closed, since
// closing alone would leave it with that child.
//
// A [Waiter] says how long to wait, and hears who is in the way: [BusyError]
// and OnWait name the holder, as /proc tells it. Locks concern other processes,
// so the waiting is in real time, by asking again and again: a lock that is
// waited for inside the kernel could not be given up when a context ends.
//
// The directory that is to be locked may be exchanged for another one of the
// same name while we wait. What counts is the name: a lock is only had when
// the path still leads to the file that was locked.
//
// On NFS the kernel turns flock into record locks on the server, and the kinds
// do see each other there: a Group works on local file systems only.
//
// [OS] is the kernel's locks. [Memory] behaves the same inside one process,
// for a simulation whose files do not exist.
package lock
