// Package offsite keeps a second copy of ROOT_PATH somewhere else.
//
// # Concepts
//
// A [Store] is that other place. It knows two deeds: Push copies a file or a
// tree, Sync makes a part of the store equal to the local directory,
// deletions included. Which of them is due, and when, is the journal's
// business (internal/syncstate); one sender at a time is the caller's.
//
// Three engines carry the deeds out: for s3://bucket/prefix the program s3cmd
// or our own, native, by a setting; for file:///path a directory, a second disk
// or a mount. What they share stands in files of its own:
//
//   - path.go: what a path is, and which names never leave this machine
//   - local.go: the walk of the local side, whole or an error
//   - rdiff.go: the order inside an rdiff-backup repository
//   - empty.go, toomany.go: the doubts about a directory that is empty, and
//     about deleting most of what is there
//   - plan.go: from what is here and what is there to what is to be done, and
//     the doing in order
//
// The native engine must do with little memory whatever the number of files,
// so it plans only repositories as a whole. All else it decides while the local
// walk (ordered.go) and the listing (native_list.go) go by side by side
// (native_tree.go), and MD5s that it has found once it remembers (memory.go).
//
// # What an engine may rely on, and what it must never do
//
// Nothing off-site is deleted because something here could not be read: the
// walk lists every directory and opens every file before the store is
// touched, and an error ends it all. Uploads come first, deletions after all
// of them succeeded; only what is in the way of an upload (a file where a
// directory must go, or the reverse) is deleted just before it. A name beside
// which .btw-aside-NAME lies was set aside here as broken: its copy may be
// the good one, and is never deleted. Nor is anything below a directory that
// is empty here: it may be a mount point. And a file that is not what it was
// when it was kept, by [Config].Verify, does not overwrite its copy.
//
// Files and their contents are what is kept. Symbolic links, sockets and
// other special files are passed over, as s3cmd does; but where one stands,
// an older copy of that name stays. An S3 store has no
// directories, so that an empty one is not stored; the directory engine makes
// them too, since rdiff-backup wants its empty increments/ back.
//
// Two copies of a file are equal when their size and content are, be it by
// MD5. Times tell nothing and are not looked at.
package offsite
