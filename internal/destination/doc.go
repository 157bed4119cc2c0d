// Package destination knows what lies in a destination, ROOT_PATH/DST: the
// names, and the times that they stand for. It is the one place that does.
//
// # Concepts
//
// A backup's name is the UTC second in which it was decided to keep it,
// "2026-01-31T13:05:09": a directory for an rdiff backup, an rdiff-backup
// repository that holds one chain, the full backup and its increments; a file
// with ".tbz" behind it for a tar backup. No two backups or increments of a
// destination share a second.
//
// Beside the backups lie log.txt, which notes the runs that found nothing
// changed, and names that begin with ".btw-": what this program keeps for
// itself. None of these begins with a time, because the Python program takes
// whatever does for a backup.
//
// A thing that has a backup's name need not be a backup: a run that was
// killed, or a copy that broke off, may have left a part of one. [Scan] tells
// them apart, by what can be seen without reading everything.
package destination
