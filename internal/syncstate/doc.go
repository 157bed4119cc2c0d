// Package syncstate keeps the journal of what the off-site copy still lacks.
//
// # Concepts
//
// The journal is the file sync_state in the config directory. It only grows:
// each line is an event, TIME OP PATH, such as
//
//	2016-01-01T12:00:00 +push etc/2016-01-01T12:00:00.tbz
//	2016-01-01T12:00:07 -push etc/2016-01-01T12:00:00.tbz
//
// A "+" registers an [Entry], an operation on a path below ROOT_PATH; a "-"
// says that it is done. The [State] is the set of entries that were registered
// and are not done, in the order of registration. As in every set, to register
// something twice is to register it once, and one "-" does away with both. The
// empty path is all of ROOT_PATH; its line ends in a space.
//
// The format is that of the earlier Python program, and either program goes on
// where the other one stopped.
//
// # Sending
//
// While a file is being sent, another run may write to it and register it
// again. A "-" for the sending would then do away with the new registration
// too. Therefore [Journal.Begin] notes how often the entry was registered, and
// [Journal.Done] writes "-" only if that has not changed.
//
// # Several runs at once
//
// A run is a member of the journal's [lock.Group] from [Open] to Close, which
// keeps the Python program out. Each method locks the file for a moment and
// reads it from the start: what another run wrote counts from then on. What a
// method returns is a snapshot.
//
// # Power cuts
//
// A method that writes returns when its lines are on the disk. What a power cut
// leaves of lines that were being written is the end of the file, without a
// newline or with zeros in it. Nobody was told that those lines were written,
// so nobody has acted on them, and the next run cuts them off. Any other line
// that is no event is somebody's mistake, and stops the program: it might be a
// registration, and only a person can tell.
//
// # Emptying
//
// A journal in which nothing is pending can be emptied. That is only done by a
// run that is alone with it. If others were there, one of them might be sending
// what a third one has already done, and count registrations in a journal that
// began anew: by the count alone it could not tell the old one from the new.
package syncstate
